-- People, sign-in, audit, work: what every other table stands on.
-- Instants are integer microseconds since 1970 UTC; text sorts by code point; …_key columns hold what Rust folded to lower case.

create table setting (
    name text primary key,
    value text not null,
    updated_at integer not null
);

create table domain (
    id blob primary key not null,
    name text not null unique,
    title text not null,
    description text not null default '',
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);

create table team (
    id blob primary key not null,
    domain_id blob not null references domain (id),
    name text not null unique,
    title text not null,
    cost_center text not null,
    contact text not null default '',
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);
create index team_domain on team (domain_id);

-- A person appears in the audit log by pseudonym only, so that the account can be erased and the chain stays whole.
create table person (
    id blob primary key not null,
    name text not null unique,
    title text not null,
    email text not null default '',
    password_hash text,
    pseudonym text not null unique,
    disabled boolean not null,
    revision integer not null,
    created_at integer not null,
    updated_at integer not null
);

create table person_role (
    person_id blob not null references person (id),
    role text not null,
    granted_at integer not null,
    primary key (person_id, role)
);

create table team_member (
    team_id blob not null references team (id),
    person_id blob not null references person (id),
    role text not null,
    added_at integer not null,
    primary key (team_id, person_id)
);
create index team_member_person on team_member (person_id);

-- Only a hash of the session's id is kept.
create table session (
    id_hash blob primary key not null,
    person_id blob references person (id),
    data text not null,
    created_at integer not null,
    last_seen_at integer not null,
    expires_at integer not null
);
create index session_person on session (person_id);
create index session_expiry on session (expires_at);

-- Acts as its person or, with a team, as that team's service; the person stays responsible.
create table service_token (
    id blob primary key not null,
    name text not null,
    person_id blob not null references person (id),
    team_id blob references team (id),
    member_role text,
    hash blob not null unique,
    hint text not null,
    created_at integer not null,
    expires_at integer not null,
    revoked_at integer
);
create index service_token_person on service_token (person_id);

create table audit (
    seq integer primary key,
    id blob not null unique,
    at integer not null,
    actor text not null,
    operation text not null,
    object_kind text not null,
    object_id text not null,
    detail text not null,
    prev_hash blob not null,
    hash blob not null
);
create index audit_object on audit (object_kind, object_id, seq);

create table audit_head (
    id integer primary key,
    seq integer not null,
    hash blob not null
);

-- Outbox and job queue in one: a change puts the row here in its own transaction, a worker leases it.
-- `wanted` counts wishes: a wish that comes while the work is being done is not lost.
create table work (
    id blob primary key not null,
    kind text not null,
    key text not null,
    payload text not null,
    location text,
    wanted integer not null,
    run_at integer not null,
    attempt integer not null,
    failures integer not null,
    owner text,
    lease_until integer,
    last_error text,
    parked boolean not null,
    created_at integer not null,
    unique (kind, key)
);
create index work_due on work (parked, run_at);

create table idempotency (
    key text not null,
    principal text not null,
    request_hash blob not null,
    status integer not null,
    body text not null,
    created_at integer not null,
    primary key (key, principal)
);
create index idempotency_age on idempotency (created_at);
