-- What a node's heartbeat says of its services and peers stands in the node's own row: a heartbeat writes that row and its
-- own, not one for every service and every peer.

-- {"<service type>": [healthy, last check] or null}, with every service that the node registered and no other.
ALTER TABLE nodes ADD COLUMN health TEXT;
-- [["<node>", milliseconds]], whom it reaches, in their order.
ALTER TABLE nodes ADD COLUMN peers TEXT;
ALTER TABLE nodes ADD COLUMN peers_at INTEGER;

UPDATE nodes SET
    health = (
        SELECT json_group_object(service_type, json(CASE WHEN healthy IS NULL THEN 'null' ELSE json_array(healthy, last_check) END))
        FROM services WHERE node_id = nodes.id
    ),
    peers = (
        SELECT json_group_array(json_array(to_node, latency_ms))
        FROM (SELECT to_node, latency_ms FROM links WHERE from_node = nodes.id ORDER BY to_node)
    ),
    peers_at = (SELECT max(at) FROM links WHERE from_node = nodes.id);

ALTER TABLE services DROP COLUMN healthy;
ALTER TABLE services DROP COLUMN last_check;
DROP TABLE links;
