-- What a run had to decide by, for who asks afterwards what would have been less: bytes of files that the replica had and the source
-- has no more, and what the ways that the plan thought of would have moved. Of runs from before this was kept, and of ways that were
-- not thought of, nothing is known.
alter table sync_run add column bytes_replaced bigint check (bytes_replaced >= 0);
alter table sync_run add column bytes_by_files bigint check (bytes_by_files >= 0);
alter table sync_run add column bytes_by_feed bigint check (bytes_by_feed >= 0);
alter table sync_run add column bytes_by_skip bigint check (bytes_by_skip >= 0);

-- What the advisor recommends for a product in one place, with the figures it promised by and the weeks behind them (JSON). Of one kind
-- one lives at a time; those that were accepted stay beside it, with what came of them.
create table advice (
    id uuid primary key not null,
    product_id uuid not null references product (id),
    to_location text collate "C" not null,
    kind text collate "C" not null,
    state text collate "C" not null,
    reason text collate "C" not null,
    because text collate "C" not null,
    change_to text collate "C" not null,
    saving_low bigint not null,
    saving_mean bigint not null,
    saving_high bigint not null,
    cost bigint not null,
    currency text collate "C" not null,
    readers bigint not null,
    break_even_low bigint,
    break_even_high bigint,
    evidence text collate "C" not null,
    opened_at bigint not null,
    reckoned_at bigint not null,
    snoozed_until bigint,
    accepted_at bigint,
    outcome text collate "C",
    measured bigint,
    measured_weeks bigint not null,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index advice_one on advice (product_id, to_location, kind) where state <> 'accepted';
create index advice_product on advice (product_id, id);

-- When the advisor looked at a product last; null: never.
alter table product add column advised_at bigint;
create index product_advised on product (state, advised_at);
