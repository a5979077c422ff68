-- A table can be shared and yet not be cloned: why not. What was refused until now was refused for both, and is looked at again
-- with the next refresh, for it may be shared by now.
alter table product_table add column clone_refused_for text collate "C";
update product_table set clone_refused_for = refused_for, inspected_at = null where refused_for is not null;
