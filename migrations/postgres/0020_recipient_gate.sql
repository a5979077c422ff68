-- From where a recipient may be used: blocks of addresses with a space between them; empty: from everywhere. And how many requests a
-- minute it may make; null: as many as the installation lets any.
alter table recipient add column addresses text collate "C" not null default '';
alter table recipient add column requests_per_minute bigint;

-- Whose word lets a recipient in besides its own credentials: tokens of this issuer, for this audience, in which this claim says this.
-- What was handed out on such a word is known by the row's id, as it is by a credential's. A row ends and stays.
create table recipient_federation (
    id uuid primary key,
    recipient_id uuid not null references recipient (id),
    issuer text collate "C" not null,
    audience text collate "C" not null,
    claim text collate "C" not null,
    subject text collate "C" not null,
    created_at bigint not null,
    ended_at bigint,
    store_urls_until bigint
);
create unique index recipient_federation_one on recipient_federation (recipient_id) where ended_at is null;
create unique index recipient_federation_word on recipient_federation (issuer, audience, claim, subject) where ended_at is null;

-- Links that give a recipient's profile to whoever opens them first. Kept as a hash; used once, or ended, or over.
create table recipient_activation (
    id uuid primary key,
    recipient_id uuid not null references recipient (id),
    hash bytea not null unique,
    lifetime bigint not null,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint,
    ended_at bigint
);
create index recipient_activation_recipient on recipient_activation (recipient_id);
