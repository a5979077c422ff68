-- The exchange: storages, products, requests, grants, replicas, runs, and what they cost.

create table storage (
    id uuid primary key,
    name text collate "C" not null unique,
    cloud text collate "C" not null,
    region text collate "C" not null,
    url text collate "C" not null unique,
    endpoint text collate "C",
    credential_kind text collate "C" not null,
    credential_ref text collate "C",
    credential_sealed bytea,
    credential_key_id text collate "C",
    replicas boolean not null,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);

create table product (
    id uuid primary key,
    name text collate "C" not null unique,
    domain_id uuid not null references domain (id),
    team_id uuid not null references team (id),
    storage_id uuid not null references storage (id),
    title text collate "C" not null,
    title_key text collate "C" not null default '',
    description text collate "C" not null,
    classification text collate "C" not null,
    access_policy text collate "C" not null,
    state text collate "C" not null,
    payer text collate "C" not null,
    baseline_days bigint not null,
    published_at bigint,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index product_team on product (team_id);
create index product_domain on product (domain_id);

create table product_tag (
    product_id uuid not null references product (id),
    tag text collate "C" not null,
    primary key (product_id, tag)
);

-- `inspected_…` columns hold what the log said when it was last read.
create table product_table (
    id uuid primary key,
    product_id uuid not null references product (id),
    storage_id uuid not null references storage (id),
    schema_name text collate "C" not null,
    name text collate "C" not null,
    path text collate "C" not null,
    format text collate "C" not null,
    history boolean not null,
    change_data_feed boolean not null,
    inspected_at bigint,
    version bigint,
    committed_at bigint,
    row_count bigint,
    file_count bigint,
    byte_count bigint,
    recent_byte_count bigint,
    columns text collate "C" not null,
    partition_columns text collate "C" not null,
    features text collate "C" not null,
    refused_for text collate "C",
    problem text collate "C",
    created_at bigint not null,
    updated_at bigint not null,
    unique (product_id, schema_name, name)
);
create index product_table_place on product_table (storage_id, path);

create table search_term (
    term text collate "C" not null,
    product_id uuid not null references product (id),
    field text collate "C" not null,
    weight bigint not null,
    primary key (term, product_id, field)
);
create index search_term_product on search_term (product_id);

create table recipient (
    id uuid primary key,
    team_id uuid not null references team (id),
    name text collate "C" not null unique,
    cloud text collate "C" not null,
    region text collate "C" not null,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index recipient_team on recipient (team_id);

create table recipient_token (
    id uuid primary key,
    recipient_id uuid not null references recipient (id),
    hash bytea not null unique,
    hint text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint
);
create index recipient_token_recipient on recipient_token (recipient_id);

create table request (
    id uuid primary key,
    product_id uuid not null references product (id),
    recipient_id uuid not null references recipient (id),
    requester_id uuid references person (id),
    purpose_code text collate "C" not null,
    purpose_text text collate "C" not null,
    mode text collate "C" not null,
    until_at bigint not null,
    state text collate "C" not null,
    offer text collate "C" not null,
    declared text collate "C",
    grant_name text collate "C",
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index request_product on request (product_id, state);
create index request_recipient on request (recipient_id, state);
create index request_grant_name on request (grant_name);
create unique index request_open on request (product_id, recipient_id, mode) where state = 'submitted';

-- Append-only: one row per stage that was decided.
create table decision (
    id uuid primary key,
    request_id uuid not null references request (id),
    stage text collate "C" not null,
    verdict text collate "C" not null,
    decider_id uuid references person (id),
    note text collate "C" not null,
    request_revision bigint not null,
    decided_at bigint not null,
    unique (request_id, stage)
);

create table access_grant (
    id uuid primary key,
    name text collate "C",
    request_id uuid not null unique references request (id),
    product_id uuid not null references product (id),
    recipient_id uuid not null references recipient (id),
    mode text collate "C" not null,
    until_at bigint not null,
    desired text collate "C" not null,
    actual text collate "C" not null,
    generation bigint not null,
    observed_generation bigint not null,
    verified_at bigint,
    first_read_at bigint,
    urls_until bigint,
    reason text collate "C",
    ended_at bigint,
    ended_reason text collate "C",
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
-- An ended grant keeps its name for the record; the one that takes its place has it too.
create unique index access_grant_name on access_grant (name) where desired = 'active';
create index access_grant_product on access_grant (product_id, desired);
create index access_grant_recipient on access_grant (recipient_id, desired);
create index access_grant_until on access_grant (desired, until_at);

create table replica (
    id uuid primary key,
    product_id uuid not null references product (id),
    storage_id uuid not null references storage (id),
    state text collate "C" not null,
    drain_until bigint,
    reason text collate "C",
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index replica_one on replica (product_id, storage_id) where state <> 'deleted';

create table replica_table (
    id uuid primary key,
    replica_id uuid not null references replica (id),
    table_id uuid not null references product_table (id),
    path text collate "C" not null,
    source_version bigint,
    source_committed_at bigint,
    replica_version bigint,
    byte_count bigint,
    synced_at bigint,
    verified_at bigint,
    vacuumed_at bigint,
    state text collate "C" not null,
    reason text collate "C",
    created_at bigint not null,
    updated_at bigint not null,
    unique (replica_id, table_id)
);

create table sync_job (
    id uuid primary key,
    name text collate "C" unique,
    replica_id uuid not null unique references replica (id),
    every_seconds bigint,
    at_time text collate "C",
    cron text collate "C",
    timezone text collate "C" not null,
    retention_hours bigint not null,
    keep_hours bigint not null,
    paused boolean not null,
    next_due_at bigint,
    last_due_at bigint,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index sync_job_due on sync_job (paused, next_due_at);

create table sync_run (
    id uuid primary key,
    kind text collate "C" not null,
    replica_table_id uuid not null references replica_table (id),
    product_id uuid not null references product (id),
    state text collate "C" not null,
    attempt bigint not null,
    journal text collate "C" not null,
    from_version bigint,
    to_version bigint,
    replica_version bigint,
    files_planned bigint not null,
    bytes_planned bigint not null,
    files_copied bigint not null,
    bytes_copied bigint not null,
    bytes_full bigint not null,
    bytes_received bigint not null,
    files_deleted bigint not null,
    bytes_deleted bigint not null,
    error text collate "C",
    started_at bigint not null,
    finished_at bigint,
    busy_micros bigint not null,
    updated_at bigint not null
);
create index sync_run_table on sync_run (replica_table_id, started_at);
create index sync_run_product on sync_run (product_id, started_at);
create unique index sync_run_one on sync_run (replica_table_id) where state in ('planned', 'copying', 'committing', 'verifying');

create table query_log (
    id uuid primary key,
    at bigint not null,
    recipient_id uuid,
    endpoint text collate "C" not null,
    share text collate "C" not null,
    schema_name text collate "C" not null,
    table_name text collate "C" not null,
    table_id uuid,
    grant_id uuid,
    version bigint,
    files bigint not null,
    bytes_signed bigint not null,
    status bigint not null,
    user_agent text collate "C" not null
);
create index query_log_grant on query_log (grant_id, at);

-- `key` makes the event idempotent: the same bytes are never counted twice.
create table meter_event (
    id uuid primary key,
    key text collate "C" not null unique,
    product_id uuid references product (id),
    table_id uuid,
    grant_id uuid,
    recipient_id uuid,
    run_id uuid,
    query_id uuid,
    from_location text collate "C" not null,
    to_location text collate "C" not null,
    bytes bigint not null,
    busy_micros bigint not null,
    method text collate "C" not null,
    purpose text collate "C" not null,
    at bigint not null,
    day bigint not null,
    charge_id uuid
);
create index meter_event_day on meter_event (day, charge_id);
create index meter_event_run on meter_event (run_id);
create index meter_event_product on meter_event (product_id, day);

create table rate (
    id uuid primary key,
    from_cloud text collate "C" not null,
    from_region text collate "C" not null,
    to_cloud text collate "C" not null,
    to_region text collate "C" not null,
    price_nano bigint not null,
    unit text collate "C" not null,
    currency text collate "C" not null,
    valid_from bigint not null,
    valid_until bigint,
    source text collate "C" not null,
    created_at bigint not null
);

-- What is not a route: compute time per hour, storage per GB and month.
create table service_rate (
    id uuid primary key,
    kind text collate "C" not null,
    price_nano bigint not null,
    currency text collate "C" not null,
    valid_from bigint not null,
    valid_until bigint,
    source text collate "C" not null,
    created_at bigint not null
);

-- Append-only. A charge is Σ bytes of one (UTC day, product, consumer, route, rate) × price, rounded once.
create table charge (
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
    bytes bigint not null,
    busy_micros bigint not null,
    amount_micro bigint not null,
    currency text collate "C" not null,
    created_at bigint not null
);
create index charge_team on charge (team_id, day);
create index charge_product on charge (product_id, day);

create table statement (
    id uuid primary key,
    team_id uuid not null references team (id),
    month text collate "C" not null,
    first_day bigint not null,
    end_day bigint not null,
    currency text collate "C" not null,
    total_micro bigint not null,
    content_hash bytea not null,
    issued_at bigint not null,
    unique (team_id, month, currency)
);

create table statement_line (
    id uuid primary key,
    statement_id uuid not null references statement (id),
    position bigint not null,
    kind text collate "C" not null,
    product_id uuid not null references product (id),
    from_location text collate "C" not null,
    to_location text collate "C" not null,
    method text collate "C" not null,
    bytes bigint not null,
    busy_micros bigint not null,
    amount_micro bigint not null,
    unique (statement_id, position)
);

create table deployment (
    id uuid primary key,
    actor text collate "C" not null,
    file text collate "C" not null,
    commit_id text collate "C" not null,
    plan text collate "C" not null,
    changes bigint not null,
    at bigint not null,
    finished_at bigint,
    failure text collate "C"
);
