//! The pages of a damaged file, below those that its write-ahead log has committed, as far as
//! they can be told without SQLite: it refuses a file whose first page is damaged.
//!
//! The layout is SQLite's file format: <https://sqlite.org/fileformat2.html>.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::node;

/// Sizes that a page can have.
const SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// So many bytes are looked at to learn the page size of a file that does not say it.
const SAMPLE: u64 = 16 << 20;

/// How texts are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// What the first page says of the file, or what must be taken for it.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Whether it begins as SQLite's files do, with a page size.
    pub sound: bool,
    pub page_size: u32,
    /// Bytes of a page that hold content.
    pub usable: usize,
    pub encoding: Encoding,
    /// Pages, where that can be believed.
    pub pages: Option<u32>,
    pub freelist: (u32, u32),
    /// 0 where the file has no pointer maps.
    pub largest_root: u32,
    pub incremental: bool,
    pub user_version: i32,
    pub application_id: i32,
}

/// A file's pages, counted from 1.
pub struct Pages {
    file: File,
    /// Of the committed frames: page to offset.
    log: Option<(File, HashMap<u32, u64>)>,
    pub header: Header,
    /// Pages that are there, the last one perhaps only in part.
    pub count: u32,
    /// Bytes that are read at a time and kept: neighbours are often asked for next.
    block: Vec<u8>,
    block_at: u64,
    size: u64,
}

impl Pages {
    const BLOCK: u64 = 256 << 10;

    pub fn open(file: File, log: Option<File>) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut frames = match &log {
            Some(log) => frames(log)?,
            None => None,
        };
        let mut head = vec![0; 100];
        read_at_most(&file, &mut head, 0)?;
        let newest = frames.as_ref().and_then(|frames| frames.at.get(&1));
        if let (Some(at), Some(log)) = (newest, &log) {
            read_at_most(log, &mut head, *at)?;
        }
        let mut header = parse(&head);
        if let Some(frames) = &frames {
            header.resize(frames.page_size);
        } else if !header.sound {
            let page_size = guess(&file, size, header.page_size)?;
            header.resize(page_size);
        }
        if !header.sound {
            header.encoding = guess_encoding(&file, size)?;
        }
        let page = u64::from(header.page_size);
        let mut count = size.div_ceil(page).min(u64::from(u32::MAX - 1)) as u32;
        if let Some(frames) = &mut frames {
            // The last commit says how long the file is to be.
            count = frames.pages;
            frames.at.retain(|number, _| *number <= count);
        }
        Ok(Self {
            file,
            log: log.zip(frames.map(|frames| frames.at)),
            header,
            count,
            block: Vec::new(),
            block_at: 0,
            size,
        })
    }

    pub fn has(&self, number: u32) -> bool {
        (1..=self.count).contains(&number)
    }

    /// A page; what the file does not have of it is zeroes.
    pub fn read(&mut self, number: u32, into: &mut Vec<u8>) -> io::Result<()> {
        let page = self.header.page_size as usize;
        into.clear();
        into.resize(page, 0);
        if let Some((log, frames)) = &self.log
            && let Some(at) = frames.get(&number)
        {
            return read_at_most(log, into, *at);
        }
        let at = (u64::from(number) - 1) * page as u64;
        if at >= self.size {
            return Ok(());
        }
        if at < self.block_at || at + page as u64 > self.block_at + self.block.len() as u64 {
            self.block.resize(Self::BLOCK as usize, 0);
            self.block.fill(0);
            read_at_most(&self.file, &mut self.block, at)?;
            self.block_at = at;
        }
        let from = (at - self.block_at) as usize;
        into.copy_from_slice(&self.block[from..from + page]);
        Ok(())
    }

    /// Whether a page holds back pointers of a file that can shrink by itself.
    pub fn is_pointer_map(&self, number: u32) -> bool {
        if self.header.largest_root == 0 || number < 2 {
            return false;
        }
        let each = self.header.usable as u32 / 5 + 1;
        (number - 2).is_multiple_of(each)
    }

    /// The page that holds the bytes that locks are taken on: it is never used.
    pub fn is_lock_page(&self, number: u32) -> bool {
        0x4000_0000 / self.header.page_size + 1 == number
    }
}

impl Header {
    fn resize(&mut self, page_size: u32) {
        let reserved = self.page_size as usize - self.usable;
        self.page_size = page_size;
        self.usable = (page_size as usize - reserved.min(255)).max(480);
    }
}

fn read_at_most(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read_at(&mut into[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) fn long(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    u32::from_be_bytes(four.unwrap_or_default())
}

fn parse(head: &[u8]) -> Header {
    let size = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65536,
        size => u32::from(size),
    };
    let known = SIZES.contains(&size);
    let page_size = if known { size } else { 4096 };
    let reserved = usize::from(head[20]);
    // SQLite believes the count where it was written by who wrote last.
    let counted = long(head, 24) == long(head, 92) && long(head, 28) > 0;
    let encoding = match long(head, 56) {
        2 => Encoding::Utf16Le,
        3 => Encoding::Utf16Be,
        _ => Encoding::Utf8,
    };
    let sound = known && head.starts_with(MAGIC) && page_size as usize - reserved >= 480;
    let believe = |number: u32| if sound { number } else { 0 };
    Header {
        sound,
        page_size,
        usable: if sound {
            page_size as usize - reserved
        } else {
            page_size as usize
        },
        encoding,
        pages: (sound && counted).then(|| long(head, 28)),
        freelist: (believe(long(head, 32)), believe(long(head, 36))),
        largest_root: believe(long(head, 52)),
        incremental: believe(long(head, 64)) != 0,
        user_version: believe(long(head, 60)).cast_signed(),
        application_id: believe(long(head, 68)).cast_signed(),
    }
}

/// The size at which most bytes look like pages of trees; `likely` where none does.
fn guess(file: &File, size: u64, likely: u32) -> io::Result<u32> {
    let mut best = (0, likely);
    let mut page = Vec::new();
    for page_size in SIZES {
        let mut looks = 0_u64;
        let step = u64::from(page_size);
        // The first page is not asked: it is the damaged one.
        for at in (step..size.min(SAMPLE)).step_by(page_size as usize) {
            page.clear();
            page.resize(page_size as usize, 0);
            read_at_most(file, &mut page, at)?;
            // Cells are laid from the end on: a smaller page's would lie in the first half.
            let fits = |node: node::Node<'_>| node.last_cell() >= page_size as usize / 2;
            if node::Node::strict(&page, 2, page_size as usize).is_some_and(fits) {
                looks += step;
            }
        }
        if looks > best.0 {
            best = (looks, page_size);
        }
    }
    Ok(best.1)
}

/// As the schema's statements are written.
fn guess_encoding(file: &File, size: u64) -> io::Result<Encoding> {
    let mut counts = [0_u64; 3];
    let mut block = vec![0; 1 << 20];
    for at in (0..size.min(SAMPLE)).step_by(block.len()) {
        block.fill(0);
        read_at_most(file, &mut block, at)?;
        for (n, pattern) in [
            &b"CREATE "[..],
            b"C\0R\0E\0A\0T\0E\0",
            b"\0C\0R\0E\0A\0T\0E",
        ]
        .into_iter()
        .enumerate()
        {
            counts[n] += block
                .windows(pattern.len())
                .filter(|w| w == &pattern)
                .count() as u64;
        }
    }
    // A wide text of one order holds the pattern of the other, too, but for its ends.
    Ok(match counts {
        [narrow, little, big] if narrow >= little.max(big) => Encoding::Utf8,
        [_, little, big] if little >= big => Encoding::Utf16Le,
        _ => Encoding::Utf16Be,
    })
}

struct Frames {
    page_size: u32,
    at: HashMap<u32, u64>,
    /// Pages of the file after the last commit.
    pages: u32,
}

/// The frames of all whole transactions; `None` where there is none.
fn frames(log: &File) -> io::Result<Option<Frames>> {
    const HEAD: usize = 32;
    const FRAME: usize = 24;
    let mut head = [0; HEAD];
    read_at_most(log, &mut head, 0)?;
    let magic = long(&head, 0);
    let page_size = long(&head, 8);
    let big = magic & 1 == 1;
    let mut sum = checksum((0, 0), &head[..24], big);
    let good = magic & !1 == 0x377f_0682
        && SIZES.contains(&page_size)
        && sum == (long(&head, 24), long(&head, 28));
    if !good {
        return Ok(None);
    }
    let length = log.metadata()?.len();
    let mut frame = vec![0; FRAME + page_size as usize];
    let mut at = HEAD as u64;
    let (mut done, mut open, mut pages) = (HashMap::new(), Vec::new(), 0);
    while at + frame.len() as u64 <= length {
        read_at_most(log, &mut frame, at)?;
        let salted = frame[8..16] == head[16..24];
        sum = checksum(sum, &frame[..8], big);
        sum = checksum(sum, &frame[FRAME..], big);
        if !salted || sum != (long(&frame, 16), long(&frame, 20)) {
            break;
        }
        open.push((long(&frame, 0), at + FRAME as u64));
        if long(&frame, 4) != 0 {
            done.extend(open.drain(..));
            pages = long(&frame, 4);
        }
        at += frame.len() as u64;
    }
    Ok((!done.is_empty()).then_some(Frames {
        page_size,
        at: done,
        pages,
    }))
}

fn checksum(mut sum: (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let four = [bytes[0], bytes[1], bytes[2], bytes[3]];
        match big {
            true => u32::from_be_bytes(four),
            false => u32::from_le_bytes(four),
        }
    };
    for pair in bytes.chunks_exact(8) {
        sum.0 = sum.0.wrapping_add(word(pair)).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(word(&pair[4..])).wrapping_add(sum.0);
    }
    sum
}
