-- What came of assessments, and how far one is that runs; `running` stands at one row at the most. `seen_at`: the last sign of life of
-- the process that makes it, by the database's clock.
create table assessment (
    id blob primary key not null,
    place text not null,
    actor text not null,
    started_at integer not null,
    ended_at integer,
    seen_at integer not null,
    running boolean not null,
    cancelled boolean not null,
    tables_done integer not null,
    tables_all integer,
    problem text,
    found text
);
create unique index assessment_running on assessment (running) where running;
-- What tells a table from others, wherever it lies. `lineage`: the table id that its log gives, or of a clone that says of what it was
-- made, that table's; copies of a table have one. `likeness`: a hash of its columns, rows, files and bytes.
alter table product_table add column lineage text;
alter table product_table add column likeness text;
create index product_table_lineage on product_table (lineage) where lineage is not null;
create index product_table_likeness on product_table (likeness) where likeness is not null;
-- Each table is read again for what is new here.
update product_table set inspected_at = null;
