-- The access log is read by recipient, newest first, and forgotten by age. Lines of nobody were calls without a valid token,
-- which leave no line any more.
create index query_log_at on query_log (at);
create index query_log_recipient on query_log (recipient_id, id);
delete from query_log where recipient_id is null;
