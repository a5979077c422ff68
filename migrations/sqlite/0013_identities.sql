-- Whom a provider of identities calls whom: issuer and subject are the identity, and nothing else is. One person may have several.
create table person_identity (
    id blob primary key not null,
    person_id blob not null references person (id),
    issuer text not null,
    subject text not null,
    linked_at integer not null,
    used_at integer,
    unique (issuer, subject)
);
create index person_identity_person on person_identity (person_id);

-- What has come by a mapping of the provider's groups, and is renewed or taken at each sign-in; the rest was given by hand.
alter table person_role add column mapped boolean not null default false;
alter table team_member add column mapped boolean not null default false;

-- A way to the provider and back is gone once: what it was begun with is not taken again. Kept as a hash until it has ended anyway.
create table sign_in_used (
    state_hash blob primary key not null,
    ends_at integer not null
);
create index sign_in_used_end on sign_in_used (ends_at);
