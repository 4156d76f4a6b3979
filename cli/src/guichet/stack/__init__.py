"""The embedded stack: real Apache Kafka, real PostgreSQL and the four services as processes of one machine."""
