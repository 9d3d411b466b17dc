"""PostgreSQL: the only importer of SQLAlchemy. What does not belong here: any decision, any HTTP."""
