//! Strings of bits as the wire has them: their number, then the bits, the first one highest.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// The code of a vector.
#[derive(Debug, Clone)]
pub(super) struct Bits {
    pub count: usize,
    pub bytes: Vec<u8>,
}

impl ToSql for Bits {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&i32::try_from(self.count)?.to_be_bytes());
        out.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    accepts!(BIT, VARBIT);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Bits {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let (count, bytes) = raw
            .split_first_chunk()
            .ok_or("a bit string without a length")?;
        Ok(Self {
            count: usize::try_from(i32::from_be_bytes(*count))?,
            bytes: bytes.to_vec(),
        })
    }

    accepts!(BIT, VARBIT);
}
