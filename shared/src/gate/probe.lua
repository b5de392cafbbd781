-- Does what the gate does, on the key of nobody: one script that writes to and reads from one hash.
--
-- KEYS[1]  {tag}:g
redis.call('HSET', KEYS[1], 'probe', 1)
redis.call('PEXPIRE', KEYS[1], 1000)
return tonumber(redis.call('HGET', KEYS[1], 'probe'))
