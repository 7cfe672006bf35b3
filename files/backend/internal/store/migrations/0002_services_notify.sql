-- Every task listens, so a change made through one of them, or by hand, reaches the browsers of all.
CREATE FUNCTION services_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('services', json_build_object(
        'action', CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'updated' ELSE 'deleted' END,
        'id', CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END
    )::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER services_notify AFTER INSERT OR UPDATE OR DELETE ON services FOR EACH ROW EXECUTE FUNCTION services_notify();
