-- Charges in the making: the daily report takes a busy day's events into them bit by bit, and makes charges of them when it
-- has all. A row lives as long as one report takes, or until the next one where it was cut short.
create table charge_draft (
    id blob primary key not null,
    day integer not null,
    kind text not null,
    product_id blob not null references product (id),
    team_id blob not null references team (id),
    consumer_team_id blob,
    from_location text not null,
    to_location text not null,
    method text not null,
    rate_id blob,
    price_nano integer not null,
    unit text not null,
    currency text not null,
    bytes integer not null,
    busy_micros integer not null
);
create index charge_draft_day on charge_draft (day);
