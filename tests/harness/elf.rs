//! Reads of an executable what the system and the linker agreed on: for tests of how one was built.
//! Only what 64-bit little-endian machines have, which is all that Sage is built for.

use std::path::Path;

/// `e_type` of a program at fixed addresses.
pub const ET_EXEC: u16 = 2;
/// `e_type` of a program that can be loaded anywhere.
pub const ET_DYN: u16 = 3;

/// What the system maps.
pub const PT_LOAD: u32 = 1;
/// Where the dynamic entries are.
pub const PT_DYNAMIC: u32 = 2;
/// Which loader the program asks for.
pub const PT_INTERP: u32 = 3;
/// What may be done with the stack.
pub const PT_GNU_STACK: u32 = 0x6474_e551;
/// What is no longer writable once the addresses are set.
pub const PT_GNU_RELRO: u32 = 0x6474_e552;

/// Flags of a segment.
pub const PF_X: u32 = 1;
pub const PF_W: u32 = 2;

/// A library that the program asks for.
pub const DT_NEEDED: u64 = 1;
/// Present where all addresses are set at the start (`-z now`), in the older of two ways.
pub const DT_BIND_NOW: u64 = 24;
/// Flags, of which [`DF_BIND_NOW`] says the same in a newer way.
pub const DT_FLAGS: u64 = 30;
pub const DF_BIND_NOW: u64 = 8;

/// Section type of what debuggers call functions by; a stripped program has none.
const SHT_SYMTAB: u32 = 2;
const SHT_NOBITS: u32 = 8;

/// An executable.
#[derive(Debug)]
pub struct Elf {
    /// `ET_EXEC` or `ET_DYN`.
    pub kind: u16,
    /// The program headers, in their order.
    pub segments: Vec<Segment>,
    /// The dynamic entries, tag and value, without the one that ends them.
    pub dynamic: Vec<(u64, u64)>,
    /// The sections, in their order.
    pub sections: Vec<Section>,
}

/// A program header.
#[derive(Debug)]
pub struct Segment {
    /// `PT_…`.
    pub kind: u32,
    /// `PF_…`, added up.
    pub flags: u32,
    /// Its place in the file.
    bytes: std::ops::Range<usize>,
}

/// A section header.
#[derive(Debug)]
pub struct Section {
    pub name: String,
    kind: u32,
    /// Bytes in the file.
    pub size: usize,
}

impl Elf {
    /// Reads a file, which must be an executable.
    #[track_caller]
    pub fn read(path: &Path) -> Self {
        let file = std::fs::read(path).unwrap();
        // Class 2 is 64 bits, data 1 is little-endian.
        assert_eq!(file[..6], *b"\x7fELF\x02\x01", "{}", path.display());
        let file = File(file);
        let segments: Vec<_> = file
            .table(32, 54)
            .into_iter()
            .map(|at| file.segment(at))
            .collect();
        let dynamic = segments
            .iter()
            .filter(|segment| segment.kind == PT_DYNAMIC)
            .flat_map(|segment| segment.bytes.clone().step_by(16))
            .map(|at| (file.u64(at), file.u64(at + 8)))
            .take_while(|(tag, _)| *tag != 0)
            .collect();
        Self {
            kind: file.u16(16),
            dynamic,
            sections: file.sections(),
            segments,
        }
    }

    /// The first segment of that kind.
    pub fn segment(&self, kind: u32) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.kind == kind)
    }

    /// The value of the first dynamic entry of that tag.
    pub fn entry(&self, tag: u64) -> Option<u64> {
        let mut entries = self.dynamic.iter();
        entries
            .find(|(other, _)| *other == tag)
            .map(|(_, value)| *value)
    }

    /// Whether it has a table of symbols left.
    pub fn has_symbols(&self) -> bool {
        self.sections
            .iter()
            .any(|section| section.kind == SHT_SYMTAB)
    }
}

struct File(Vec<u8>);

impl File {
    /// Where the headers of a table begin, whose place is at `place` in the file's header and whose
    /// entry size and count are at `shape`.
    fn table(&self, place: usize, shape: usize) -> Vec<usize> {
        let (size, count) = (self.u16(shape), self.u16(shape + 2));
        let start = self.size(place);
        let header = |index| start + usize::from(size) * usize::from(index);
        (0..count).map(header).collect()
    }

    fn segment(&self, at: usize) -> Segment {
        let start = self.size(at + 8);
        Segment {
            kind: self.u32(at),
            flags: self.u32(at + 4),
            bytes: start..start + self.size(at + 32),
        }
    }

    fn sections(&self) -> Vec<Section> {
        let headers = self.table(40, 58);
        // The section that holds the names of all.
        let Some(names) = headers.get(usize::from(self.u16(62))) else {
            return Vec::new();
        };
        let names = self.size(names + 24);
        let section = |at: usize| {
            let name = &self.0[names + self.u32(at) as usize..];
            let kind = self.u32(at + 4);
            Section {
                name: name.iter().map_while(|byte| letter(*byte)).collect(),
                kind,
                size: match kind {
                    SHT_NOBITS => 0,
                    _ => self.size(at + 32),
                },
            }
        };
        headers.into_iter().map(section).collect()
    }

    fn size(&self, at: usize) -> usize {
        self.u64(at).try_into().unwrap()
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().unwrap())
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap())
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.0[at..at + 2].try_into().unwrap())
    }
}

/// The character of a byte before the zero that ends a name.
fn letter(byte: u8) -> Option<char> {
    (byte != 0).then_some(byte.into())
}
