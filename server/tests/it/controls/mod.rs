//! Controls that need the whole server to be shown: what reading changes, what strangers learn, where secrets end up, what
//! several processes and another role of the database make of it. Their numbers are those of docs/SECURITY.md.

mod audit;
mod first_start;
mod functions;
mod installation;
mod least_privilege;
mod load;
mod reading;
mod replicas;
mod revoking;
mod rows;
mod secrets;
mod slow_clients;
mod strangers;
mod world;
