-- What a run had to decide by, for who asks afterwards what would have been less: bytes of files that the replica had and the source
-- has no more, and what the ways that the plan thought of would have moved. Of runs from before this was kept, and of ways that were
-- not thought of, nothing is known.
alter table sync_run add column bytes_replaced integer check (bytes_replaced >= 0);
alter table sync_run add column bytes_by_files integer check (bytes_by_files >= 0);
alter table sync_run add column bytes_by_feed integer check (bytes_by_feed >= 0);
alter table sync_run add column bytes_by_skip integer check (bytes_by_skip >= 0);

-- What the advisor recommends for a product in one place, with the figures it promised by and the weeks behind them (JSON). Of one kind
-- one lives at a time; those that were accepted stay beside it, with what came of them.
create table advice (
    id blob primary key not null,
    product_id blob not null references product (id),
    to_location text not null,
    kind text not null,
    state text not null,
    reason text not null,
    because text not null,
    change_to text not null,
    saving_low integer not null,
    saving_mean integer not null,
    saving_high integer not null,
    cost integer not null,
    currency text not null,
    readers integer not null,
    break_even_low integer,
    break_even_high integer,
    evidence text not null,
    opened_at integer not null,
    reckoned_at integer not null,
    snoozed_until integer,
    accepted_at integer,
    outcome text,
    measured integer,
    measured_weeks integer not null,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);
create unique index advice_one on advice (product_id, to_location, kind) where state <> 'accepted';
create index advice_product on advice (product_id, id);

-- When the advisor looked at a product last; null: never.
alter table product add column advised_at integer;
create index product_advised on product (state, advised_at);
