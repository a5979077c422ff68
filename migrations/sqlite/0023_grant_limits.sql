-- A grant may be narrower than its product: conditions on partition columns, null for every row. And wider than URLs: a credential
-- for the folders of its tables. An approver's word waits in the request for the grant.
alter table request add column row_filter text;
alter table request add column directory_access boolean not null default false;
alter table access_grant add column row_filter text;
alter table access_grant add column directory_access boolean not null default false;

-- With history, the first version that is shared; null: all that there are.
alter table product_table add column history_start integer check (history_start >= 0);

-- What conditions may say of a recipient beside its name, team, cloud and region.
create table recipient_property (
    recipient_id blob not null references recipient (id),
    name text not null,
    value text not null,
    primary key (recipient_id, name)
);
