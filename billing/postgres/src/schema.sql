SELECT 'column' AS "kind!", c.relname || '.' || a.attname AS "name!",
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), (SELECT collname FROM pg_collation l WHERE l.oid = a.attcollation),
                 CASE WHEN a.attnotnull THEN 'NOT NULL' END, pg_get_expr(d.adbin, d.adrelid)) AS "definition!"
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', conname, conrelid::regclass || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'
UNION ALL
SELECT 'index', indexname, replace(indexdef, schemaname || '.', '')
FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL
SELECT 'trigger', t.tgname,
       concat_ws(' ', c.relname, p.proname, t.tgtype, t.tgenabled, pg_get_expr(t.tgqual, t.tgrelid))
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
UNION ALL
SELECT 'rule', rulename, concat_ws(' ', tablename, definition) FROM pg_rules WHERE schemaname = current_schema()
ORDER BY 1, 2, 3
