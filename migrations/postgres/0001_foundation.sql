-- People, sign-in, audit, work: what every other table stands on.
-- Instants are bigint microseconds since 1970 UTC; text sorts by code point; …_key columns hold what Rust folded to lower case.

create table setting (
    name text collate "C" primary key,
    value text collate "C" not null,
    updated_at bigint not null
);

create table domain (
    id uuid primary key,
    name text collate "C" not null unique,
    title text collate "C" not null,
    description text collate "C" not null default '',
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);

create table team (
    id uuid primary key,
    domain_id uuid not null references domain (id),
    name text collate "C" not null unique,
    title text collate "C" not null,
    cost_center text collate "C" not null,
    contact text collate "C" not null default '',
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index team_domain on team (domain_id);

-- A person appears in the audit log by pseudonym only, so that the account can be erased and the chain stays whole.
create table person (
    id uuid primary key,
    name text collate "C" not null unique,
    title text collate "C" not null,
    email text collate "C" not null default '',
    password_hash text collate "C",
    pseudonym text collate "C" not null unique,
    disabled boolean not null,
    revision bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);

create table person_role (
    person_id uuid not null references person (id),
    role text collate "C" not null,
    granted_at bigint not null,
    primary key (person_id, role)
);

create table team_member (
    team_id uuid not null references team (id),
    person_id uuid not null references person (id),
    role text collate "C" not null,
    added_at bigint not null,
    primary key (team_id, person_id)
);
create index team_member_person on team_member (person_id);

-- Only a hash of the session's id is kept.
create table session (
    id_hash bytea primary key,
    person_id uuid references person (id),
    data text collate "C" not null,
    created_at bigint not null,
    last_seen_at bigint not null,
    expires_at bigint not null
);
create index session_person on session (person_id);
create index session_expiry on session (expires_at);

-- Acts as its person or, with a team, as that team's service; the person stays responsible.
create table service_token (
    id uuid primary key,
    name text collate "C" not null,
    person_id uuid not null references person (id),
    team_id uuid references team (id),
    member_role text collate "C",
    hash bytea not null unique,
    hint text collate "C" not null,
    created_at bigint not null,
    expires_at bigint not null,
    revoked_at bigint
);
create index service_token_person on service_token (person_id);

create table audit (
    seq bigint primary key,
    id uuid not null unique,
    at bigint not null,
    actor text collate "C" not null,
    operation text collate "C" not null,
    object_kind text collate "C" not null,
    object_id text collate "C" not null,
    detail text collate "C" not null,
    prev_hash bytea not null,
    hash bytea not null
);
create index audit_object on audit (object_kind, object_id, seq);

create table audit_head (
    id bigint primary key,
    seq bigint not null,
    hash bytea not null
);

-- Outbox and job queue in one: a change puts the row here in its own transaction, a worker leases it.
-- `wanted` counts wishes: a wish that comes while the work is being done is not lost.
create table work (
    id uuid primary key,
    kind text collate "C" not null,
    key text collate "C" not null,
    payload text collate "C" not null,
    location text collate "C",
    wanted bigint not null,
    run_at bigint not null,
    attempt bigint not null,
    failures bigint not null,
    owner text collate "C",
    lease_until bigint,
    last_error text collate "C",
    parked boolean not null,
    created_at bigint not null,
    unique (kind, key)
);
create index work_due on work (parked, run_at);

create table idempotency (
    key text collate "C" not null,
    principal text collate "C" not null,
    request_hash bytea not null,
    status bigint not null,
    body text collate "C" not null,
    created_at bigint not null,
    primary key (key, principal)
);
create index idempotency_age on idempotency (created_at);
