-- Which choice of mail a form was drawn with: who comes second is told.
alter table person add column notices_revision integer not null default 1;

-- The mails that a person got within the last hour. What is more than so many is held back, and comes as one.
create table mail_turn (
    person_id blob not null references person (id),
    key text not null,
    at integer not null,
    primary key (person_id, key)
);

create table mail_held (
    person_id blob not null references person (id),
    notice_id blob not null,
    held_at integer not null,
    primary key (person_id, notice_id)
);
