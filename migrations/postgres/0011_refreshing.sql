-- When the logs of a product's tables are to be read again; null: as soon as may be.
alter table product add column refresh_at bigint;
create index product_refresh on product (state, refresh_at);
