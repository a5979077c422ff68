-- The access log says of each call on a table whose it was, how it ended and why, from where it was answered, and what it took.
-- Of lines from before this was kept only the product is known that their grant opened.
alter table query_log add column product_id blob;
alter table query_log add column outcome text;
alter table query_log add column error_code text;
alter table query_log add column reason text;
alter table query_log add column source text;
alter table query_log add column stale_since integer;
alter table query_log add column files_dropped integer;
alter table query_log add column actions integer;
alter table query_log add column duration_micros integer;
update query_log set product_id = (select access_grant.product_id from access_grant where access_grant.id = query_log.grant_id)
where grant_id is not null;
create index query_log_product on query_log (product_id, id);

-- How many bytes of the producer's own files a grant hands out in a day (UTC): of live access the most of them, null: any number;
-- of a replica how many when it is late, null: none. An approver's word waits in the request for the grant.
alter table request add column live_bytes_per_day integer check (live_bytes_per_day > 0);
alter table access_grant add column live_bytes_per_day integer check (live_bytes_per_day > 0);
create table live_read (
    grant_id blob not null references access_grant (id),
    day integer not null,
    bytes integer not null,
    primary key (grant_id, day)
);
create index live_read_day on live_read (day);

-- When bytes of a store's access log took the place of an estimate: it counts no more from then on.
alter table meter_event add column replaced_at integer;
create index meter_event_query on meter_event (query_id) where query_id is not null;

-- The lines of stores' access logs that were counted, by the store's own name for the request, so that none is counted twice.
-- Forgotten once no line so old is taken any more.
create table access_log_line (
    bucket text not null,
    request_id text not null,
    day integer not null,
    primary key (bucket, request_id)
);
create index access_log_line_day on access_log_line (day);
-- The log's objects that were read to their end.
create table access_log_object (
    storage_id blob not null references storage (id),
    path text not null,
    day integer not null,
    primary key (storage_id, path)
);
create index access_log_object_day on access_log_object (day);
