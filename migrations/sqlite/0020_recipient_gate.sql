-- From where a recipient may be used: blocks of addresses with a space between them; empty: from everywhere. And how many requests a
-- minute it may make; null: as many as the installation lets any.
alter table recipient add column addresses text not null default '';
alter table recipient add column requests_per_minute integer;

-- Whose word lets a recipient in besides its own credentials: tokens of this issuer, for this audience, in which this claim says this.
-- What was handed out on such a word is known by the row's id, as it is by a credential's. A row ends and stays.
create table recipient_federation (
    id blob primary key not null,
    recipient_id blob not null references recipient (id),
    issuer text not null,
    audience text not null,
    claim text not null,
    subject text not null,
    created_at integer not null,
    ended_at integer,
    store_urls_until integer
);
create unique index recipient_federation_one on recipient_federation (recipient_id) where ended_at is null;
create unique index recipient_federation_word on recipient_federation (issuer, audience, claim, subject) where ended_at is null;

-- Links that give a recipient's profile to whoever opens them first. Kept as a hash; used once, or ended, or over.
create table recipient_activation (
    id blob primary key not null,
    recipient_id blob not null references recipient (id),
    hash blob not null unique,
    lifetime integer not null,
    created_at integer not null,
    expires_at integer not null,
    used_at integer,
    ended_at integer
);
create index recipient_activation_recipient on recipient_activation (recipient_id);
