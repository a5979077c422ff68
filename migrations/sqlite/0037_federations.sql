-- The words of several platforms may let one recipient in: each is a row of its own, and ends by itself. One word is still one recipient.
drop index recipient_federation_one;
create index recipient_federation_recipient on recipient_federation (recipient_id);
