-- What a cut gives is what was agreed to: the columns that its tables had when the edition was made. `schema_text`: a table's schema as
-- its log writes it; `agreed`: the same as an edition knows it. Null of editions from before: the first sync decided which columns
-- there are.
alter table product_table add column schema_text text collate "C";
alter table cut_table add column agreed text collate "C";
-- Each table is read again for what is new here.
update product_table set inspected_at = null;
