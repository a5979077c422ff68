-- When people stopped wanting a grant (never after its time was over), and until when URLs work that stores have signed for it:
-- those outlive its end, the gateway's do not.
alter table access_grant add column stopped_at bigint;
alter table access_grant add column store_urls_until bigint;

-- Of grants that ended before, the nearest that is known: when their end was seen. Their URLs count as signed by stores.
update access_grant set stopped_at = case when until_at < coalesce(ended_at, updated_at) then until_at else coalesce(ended_at, updated_at) end
where desired = 'ended';
update access_grant set store_urls_until = urls_until;
