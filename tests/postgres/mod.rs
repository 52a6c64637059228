//! What only the PostgreSQL store has: that it answers as the embedded one does, servers that come
//! and go, and who may do what.

mod faults;
mod load;
mod outages;
pub mod parity;
mod several;
mod tls;
