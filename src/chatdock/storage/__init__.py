"""The database: schema, migrations, the writer, and one module of queries per aggregate."""
