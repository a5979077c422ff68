//! What is spoken over the wire, by pages, REST and command line alike: one file per area.
