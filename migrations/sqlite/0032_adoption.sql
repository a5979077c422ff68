-- A copy of a table that lies in a storage already and is to become the first clone there. It is the table's and the storage's, so that it
-- can be named before there is a replica; `done_at`: the first sync has used it.
create table adoption (
    adopted_table blob not null references product_table (id),
    into_storage blob not null references storage (id),
    adopt_path text not null,
    by_ends boolean not null,
    planned_files integer not null,
    planned_bytes integer not null,
    to_read_bytes integer not null,
    fetch_bytes integer not null,
    asked_at integer not null,
    done_at integer,
    done_run blob,
    taken_files integer not null default 0,
    taken_bytes integer not null default 0,
    outcome text,
    primary key (adopted_table, into_storage)
);

-- How tables are brought to consumers without the exchange: registered, run in parallel, compared, and switched off on a day.
create table old_flow (
    id blob primary key not null,
    product_id blob not null references product (id),
    flow_table blob references product_table (id),
    kind text not null check (kind in ('weekly full load', 'daily full load', 'direct reads', 'ftp')),
    consumers integer not null check (consumers > 0),
    from_location text,
    to_location text not null,
    load_bytes integer,
    copy_storage blob references storage (id),
    copy_path text,
    registered_at integer not null,
    off_at integer,
    comparing_at integer,
    compared_at integer,
    compared text check (compared in ('same', 'differs', 'unknown')),
    comparison text
);
create index old_flow_product on old_flow (product_id);
