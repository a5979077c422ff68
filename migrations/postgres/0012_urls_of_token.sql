-- Until when URLs work that stores have signed for the holder of a credential: those outlive it, the gateway's do not.
alter table recipient_token add column store_urls_until bigint;

-- Of URLs from before it is not known which credential they were handed out with; none outlives its credential by more than an hour.
update recipient_token set store_urls_until = (
    select max(store_urls_until) from access_grant where access_grant.recipient_id = recipient_token.recipient_id);
update recipient_token set store_urls_until = expires_at + 3600000000 where store_urls_until > expires_at + 3600000000;
update recipient_token set store_urls_until = revoked_at + 3600000000 where store_urls_until > revoked_at + 3600000000;
