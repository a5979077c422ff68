-- A copy of a table that lies in a storage already and is to become the first clone there. It is the table's and the storage's, so that it
-- can be named before there is a replica; `done_at`: the first sync has used it.
create table adoption (
    adopted_table uuid not null references product_table (id),
    into_storage uuid not null references storage (id),
    adopt_path text collate "C" not null,
    by_ends boolean not null,
    planned_files bigint not null,
    planned_bytes bigint not null,
    to_read_bytes bigint not null,
    fetch_bytes bigint not null,
    asked_at bigint not null,
    done_at bigint,
    done_run uuid,
    taken_files bigint not null default 0,
    taken_bytes bigint not null default 0,
    outcome text collate "C",
    primary key (adopted_table, into_storage)
);

-- How tables are brought to consumers without the exchange: registered, run in parallel, compared, and switched off on a day.
create table old_flow (
    id uuid primary key not null,
    product_id uuid not null references product (id),
    flow_table uuid references product_table (id),
    kind text collate "C" not null check (kind in ('weekly full load', 'daily full load', 'direct reads', 'ftp')),
    consumers bigint not null check (consumers > 0),
    from_location text collate "C",
    to_location text collate "C" not null,
    load_bytes bigint,
    copy_storage uuid references storage (id),
    copy_path text collate "C",
    registered_at bigint not null,
    off_at bigint,
    comparing_at bigint,
    compared_at bigint,
    compared text collate "C" check (compared in ('same', 'differs', 'unknown')),
    comparison text collate "C"
);
create index old_flow_product on old_flow (product_id);
