-- What narrower replicas hold. `cut`: a product's, by name. `cut_edition`: a state of its content, with a key of its own for what is
-- hashed; it never changes but for how the key is sealed, and the newest is the cut's. `cut_table`: what an edition does with one
-- table; a table that it does not name is not in it.
create table cut (
    id uuid primary key not null,
    product_id uuid not null references product (id),
    name text collate "C" not null,
    description text not null,
    edition bigint not null,
    retired_at bigint,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (product_id, name)
);
create table cut_edition (
    cut_id uuid not null references cut (id),
    number bigint not null,
    why text collate "C" not null check (why in ('made', 'changed', 'rotated')),
    key_sealed bytea not null,
    key_id text not null,
    created_at bigint not null,
    primary key (cut_id, number)
);
create table cut_table (
    cut_id uuid not null references cut (id),
    number bigint not null,
    table_id uuid not null references product_table (id),
    narrowing text not null,
    primary key (cut_id, number, table_id),
    foreign key (cut_id, number) references cut_edition (cut_id, number)
);
create index cut_table_table on cut_table (table_id);
create trigger cut_table_append_only before update or delete or truncate on cut_table for each statement execute function append_only();

-- Null: of the whole product. What is given by a cut is read from its replica alone.
alter table request add column cut_id uuid references cut (id)
    check (cut_id is null or (mode = 'replica' and row_filter is null and not directory_access));
alter table access_grant add column cut_id uuid references cut (id)
    check (cut_id is null or (mode = 'replica' and row_filter is null and not directory_access and live_bytes_per_day is null));
create index access_grant_cut on access_grant (cut_id, desired);
drop index request_open;
create unique index request_open on request (product_id, recipient_id, mode) where state = 'submitted' and cut_id is null;
create unique index request_open_cut on request (cut_id, recipient_id) where state = 'submitted' and cut_id is not null;

-- There is one replica for each storage: of the whole product, and of each edition of a cut.
alter table replica add column cut_id uuid references cut (id);
alter table replica add column edition bigint;
drop index replica_one;
create unique index replica_one on replica (product_id, storage_id) where state <> 'deleted' and cut_id is null;
create unique index replica_one_cut on replica (cut_id, edition, storage_id) where state <> 'deleted' and cut_id is not null;
