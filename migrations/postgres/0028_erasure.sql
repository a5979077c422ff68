-- What was to be forgotten. `erasure`: somebody's word that rows are gone from the source of a product (of one of its tables, where
-- `table_id` says which) since a version or an instant, and the certificate that came of it. `erasure_part`: what it came to on one
-- replica table; `upto`: the replica's version as soon as it holds the source without these rows: what it and earlier ones removed
-- has to go. `erased_object`: every object that was deleted from a replica: written before it is (`meant_at`), and again once the
-- store has said that it did (`deleted_at`) and that there is no such object (`not_found_at`).
create table erasure (
    id uuid primary key not null,
    product_id uuid not null references product (id),
    table_id uuid references product_table (id),
    since_version bigint,
    since_at bigint not null,
    at_once boolean not null,
    reason text collate "C" not null,
    actor text collate "C" not null,
    state text collate "C" not null,
    requested_at bigint not null,
    issued_at bigint,
    head text collate "C",
    certificate text collate "C"
);
create index erasure_product on erasure (product_id);
create table erasure_part (
    erasure_id uuid not null references erasure (id),
    replica_table_id uuid not null references replica_table (id),
    state text collate "C" not null,
    upto bigint,
    reason text collate "C",
    object_count bigint not null,
    statement text collate "C",
    updated_at bigint not null,
    primary key (erasure_id, replica_table_id)
);
create index erasure_part_waiting on erasure_part (replica_table_id) where state = 'waiting';
create table erased_object (
    id uuid primary key not null,
    replica_table_id uuid not null references replica_table (id),
    object_key text collate "C" not null,
    byte_count bigint not null,
    etag text collate "C",
    why text collate "C" not null,
    since_at bigint not null,
    removal_version bigint,
    source_version bigint,
    source_at bigint,
    meant_at bigint not null,
    deleted_at bigint,
    not_found_at bigint
);
create index erased_object_meant on erased_object (replica_table_id, meant_at);
create index erased_object_open on erased_object (replica_table_id, object_key) where not_found_at is null;
-- A certificate that was issued never changes.
create function erasure_issued_once() returns trigger language plpgsql as $$
begin
    if old.certificate is not null then
        raise exception 'erasure is issued';
    end if;
    return new;
end
$$;
create trigger erasure_issued_once before update on erasure for each row execute function erasure_issued_once();
create trigger erasure_append_only before delete or truncate on erasure for each statement execute function append_only();
