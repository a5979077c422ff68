-- Charges in the making: the daily report takes a busy day's events into them bit by bit, and makes charges of them when it
-- has all. A row lives as long as one report takes, or until the next one where it was cut short.
create table charge_draft (
    id uuid primary key,
    day bigint not null,
    kind text collate "C" not null,
    product_id uuid not null references product (id),
    team_id uuid not null references team (id),
    consumer_team_id uuid,
    from_location text collate "C" not null,
    to_location text collate "C" not null,
    method text collate "C" not null,
    rate_id uuid,
    price_nano bigint not null,
    unit text collate "C" not null,
    currency text collate "C" not null,
    bytes bigint not null,
    busy_micros bigint not null
);
create index charge_draft_day on charge_draft (day);
