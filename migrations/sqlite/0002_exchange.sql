-- The exchange: storages, products, requests, grants, replicas, runs, and what they cost.

create table storage (
    id blob primary key not null,
    name text not null unique,
    cloud text not null,
    region text not null,
    url text not null unique,
    endpoint text,
    credential_kind text not null,
    credential_ref text,
    credential_sealed blob,
    credential_key_id text,
    replicas boolean not null,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);

create table product (
    id blob primary key not null,
    name text not null unique,
    domain_id blob not null references domain (id),
    team_id blob not null references team (id),
    storage_id blob not null references storage (id),
    title text not null,
    title_key text not null default '',
    description text not null,
    classification text not null,
    access_policy text not null,
    state text not null,
    payer text not null,
    baseline_days integer not null,
    published_at integer,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);
create index product_team on product (team_id);
create index product_domain on product (domain_id);

create table product_tag (
    product_id blob not null references product (id),
    tag text not null,
    primary key (product_id, tag)
);

-- `inspected_…` columns hold what the log said when it was last read.
create table product_table (
    id blob primary key not null,
    product_id blob not null references product (id),
    storage_id blob not null references storage (id),
    schema_name text not null,
    name text not null,
    path text not null,
    format text not null,
    history boolean not null,
    change_data_feed boolean not null,
    inspected_at integer,
    version integer,
    committed_at integer,
    row_count integer,
    file_count integer,
    byte_count integer,
    recent_byte_count integer,
    columns text not null,
    partition_columns text not null,
    features text not null,
    refused_for text,
    problem text,
    created_at integer not null,
    updated_at integer not null,
    unique (product_id, schema_name, name)
);
create index product_table_place on product_table (storage_id, path);

create table search_term (
    term text not null,
    product_id blob not null references product (id),
    field text not null,
    weight integer not null,
    primary key (term, product_id, field)
);
create index search_term_product on search_term (product_id);

create table recipient (
    id blob primary key not null,
    team_id blob not null references team (id),
    name text not null unique,
    cloud text not null,
    region text not null,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);
create index recipient_team on recipient (team_id);

create table recipient_token (
    id blob primary key not null,
    recipient_id blob not null references recipient (id),
    hash blob not null unique,
    hint text not null,
    created_at integer not null,
    expires_at integer not null,
    revoked_at integer
);
create index recipient_token_recipient on recipient_token (recipient_id);

create table request (
    id blob primary key not null,
    product_id blob not null references product (id),
    recipient_id blob not null references recipient (id),
    requester_id blob references person (id),
    purpose_code text not null,
    purpose_text text not null,
    mode text not null,
    until_at integer not null,
    state text not null,
    offer text not null,
    declared text,
    grant_name text,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);
create index request_product on request (product_id, state);
create index request_recipient on request (recipient_id, state);
create index request_grant_name on request (grant_name);
create unique index request_open on request (product_id, recipient_id, mode) where state = 'submitted';

-- Append-only: one row per stage that was decided.
create table decision (
    id blob primary key not null,
    request_id blob not null references request (id),
    stage text not null,
    verdict text not null,
    decider_id blob references person (id),
    note text not null,
    request_revision integer not null,
    decided_at integer not null,
    unique (request_id, stage)
);

create table access_grant (
    id blob primary key not null,
    name text,
    request_id blob not null unique references request (id),
    product_id blob not null references product (id),
    recipient_id blob not null references recipient (id),
    mode text not null,
    until_at integer not null,
    desired text not null,
    actual text not null,
    generation integer not null,
    observed_generation integer not null,
    verified_at integer,
    first_read_at integer,
    urls_until integer,
    reason text,
    ended_at integer,
    ended_reason text,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);
-- An ended grant keeps its name for the record; the one that takes its place has it too.
create unique index access_grant_name on access_grant (name) where desired = 'active';
create index access_grant_product on access_grant (product_id, desired);
create index access_grant_recipient on access_grant (recipient_id, desired);
create index access_grant_until on access_grant (desired, until_at);

create table replica (
    id blob primary key not null,
    product_id blob not null references product (id),
    storage_id blob not null references storage (id),
    state text not null,
    drain_until integer,
    reason text,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);
create unique index replica_one on replica (product_id, storage_id) where state <> 'deleted';

create table replica_table (
    id blob primary key not null,
    replica_id blob not null references replica (id),
    table_id blob not null references product_table (id),
    path text not null,
    source_version integer,
    source_committed_at integer,
    replica_version integer,
    byte_count integer,
    synced_at integer,
    verified_at integer,
    vacuumed_at integer,
    state text not null,
    reason text,
    created_at integer not null,
    updated_at integer not null,
    unique (replica_id, table_id)
);

create table sync_job (
    id blob primary key not null,
    name text unique,
    replica_id blob not null unique references replica (id),
    every_seconds integer,
    at_time text,
    cron text,
    timezone text not null,
    retention_hours integer not null,
    keep_hours integer not null,
    paused boolean not null,
    next_due_at integer,
    last_due_at integer,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);
create index sync_job_due on sync_job (paused, next_due_at);

create table sync_run (
    id blob primary key not null,
    kind text not null,
    replica_table_id blob not null references replica_table (id),
    product_id blob not null references product (id),
    state text not null,
    attempt integer not null,
    journal text not null,
    from_version integer,
    to_version integer,
    replica_version integer,
    files_planned integer not null,
    bytes_planned integer not null,
    files_copied integer not null,
    bytes_copied integer not null,
    bytes_full integer not null,
    bytes_received integer not null,
    files_deleted integer not null,
    bytes_deleted integer not null,
    error text,
    started_at integer not null,
    finished_at integer,
    busy_micros integer not null,
    updated_at integer not null
);
create index sync_run_table on sync_run (replica_table_id, started_at);
create index sync_run_product on sync_run (product_id, started_at);
create unique index sync_run_one on sync_run (replica_table_id) where state in ('planned', 'copying', 'committing', 'verifying');

create table query_log (
    id blob primary key not null,
    at integer not null,
    recipient_id blob,
    endpoint text not null,
    share text not null,
    schema_name text not null,
    table_name text not null,
    table_id blob,
    grant_id blob,
    version integer,
    files integer not null,
    bytes_signed integer not null,
    status integer not null,
    user_agent text not null
);
create index query_log_grant on query_log (grant_id, at);

-- `key` makes the event idempotent: the same bytes are never counted twice.
create table meter_event (
    id blob primary key not null,
    key text not null unique,
    product_id blob references product (id),
    table_id blob,
    grant_id blob,
    recipient_id blob,
    run_id blob,
    query_id blob,
    from_location text not null,
    to_location text not null,
    bytes integer not null,
    busy_micros integer not null,
    method text not null,
    purpose text not null,
    at integer not null,
    day integer not null,
    charge_id blob
);
create index meter_event_day on meter_event (day, charge_id);
create index meter_event_run on meter_event (run_id);
create index meter_event_product on meter_event (product_id, day);

create table rate (
    id blob primary key not null,
    from_cloud text not null,
    from_region text not null,
    to_cloud text not null,
    to_region text not null,
    price_nano integer not null,
    unit text not null,
    currency text not null,
    valid_from integer not null,
    valid_until integer,
    source text not null,
    created_at integer not null
);

-- What is not a route: compute time per hour, storage per GB and month.
create table service_rate (
    id blob primary key not null,
    kind text not null,
    price_nano integer not null,
    currency text not null,
    valid_from integer not null,
    valid_until integer,
    source text not null,
    created_at integer not null
);

-- Append-only. A charge is Σ bytes of one (UTC day, product, consumer, route, rate) × price, rounded once.
create table charge (
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
    bytes integer not null,
    busy_micros integer not null,
    amount_micro integer not null,
    currency text not null,
    created_at integer not null
);
create index charge_team on charge (team_id, day);
create index charge_product on charge (product_id, day);

create table statement (
    id blob primary key not null,
    team_id blob not null references team (id),
    month text not null,
    first_day integer not null,
    end_day integer not null,
    currency text not null,
    total_micro integer not null,
    content_hash blob not null,
    issued_at integer not null,
    unique (team_id, month, currency)
);

create table statement_line (
    id blob primary key not null,
    statement_id blob not null references statement (id),
    position integer not null,
    kind text not null,
    product_id blob not null references product (id),
    from_location text not null,
    to_location text not null,
    method text not null,
    bytes integer not null,
    busy_micros integer not null,
    amount_micro integer not null,
    unique (statement_id, position)
);

create table deployment (
    id blob primary key not null,
    actor text not null,
    file text not null,
    commit_id text not null,
    plan text not null,
    changes integer not null,
    at integer not null,
    finished_at integer,
    failure text
);
