//! References in every form that ZODB has written, and data that only look like one.

mod model;

use super::*;

fn found(data: &[u8]) -> Result<Vec<u64>, Unreadable> {
    let mut oids = Vec::new();
    Scanner::default().slice(data, &mut |oid| oids.push(oid.0))?;
    Ok(oids)
}

const CLASS: &[u8] = b"\x80\x03cmodule\nName\nq\x00.";
const OID: &[u8] = b"\0\0\0\0\0\0\x01\x80";

fn record(state: &[&[u8]]) -> Vec<u8> {
    let mut data = CLASS.to_vec();
    data.extend(b"\x80\x03");
    state.iter().for_each(|part| data.extend(*part));
    data.push(b'.');
    data
}

#[test]
fn every_form_of_a_reference_is_found() {
    let check = |state: &[&[u8]]| assert_eq!(found(&record(state)), Ok(vec![0x180]), "{state:?}");
    check(&[b"C\x08", OID, b"Q"]);
    check(&[b"U\x08", OID, b"Q"]);
    check(&[b"T\x08\0\0\0", OID, b"Q"]);
    check(&[b"B\x08\0\0\0", OID, b"Q"]);
    check(&[b"X\x08\0\0\0", OID, b"Q"]);
    check(&[b"\x8c\x08", OID, b"Q"]);
    check(&[b"\x8e\x08\0\0\0\0\0\0\0", OID, b"Q"]);
    // A tuple, whose class stands in the memo of the first pickle.
    check(&[b"C\x08", OID, b"h\0\x86Q"]);
    check(&[b"(C\x08", OID, b"cmodule\nName\ntQ"]);
    check(&[b"C\x08", OID, b"\x85Q"]);
    check(&[b"C\x08", OID, b"NN\x87Q"]);
    // Through the memo.
    check(&[b"C\x08", OID, b"q\x050h\x05Q"]);
    check(&[b"C\x08", OID, b"r\0\x02\0\x7f0j\0\x02\0\x7fQ"]);
    check(&[b"C\x08", OID, b"\x940h\x01Q"]);
    check(&[b"C\x08", OID, b"p7\n0g7\nQ"]);
    // Within other things.
    check(&[
        b"](}C\x08",
        OID,
        b"Qsee".as_slice().strip_suffix(b"e").unwrap(),
    ]);
    check(&[b"S'\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x80'\nQ"]);
    check(&[b"V\0\0\0\0\0\0\\u0001\\u0080\nQ"]);
    check(&[b"C\x08", OID, b"2Q0Q".strip_suffix(b"0Q").unwrap()]);
}

#[test]
fn the_commonest_form_is_read_as_any_other() {
    let reference = [b"C\x08", OID, b"q\x01h\x00\x86q\x02Q"].concat();
    let check = |more: &[u8], expected| {
        assert_eq!(found(&record(&[&reference, more])), expected, "{more:?}");
    };
    // Id and tuple are in the memo.
    check(b"NNNNNN", Ok(vec![0x180]));
    check(b"h\x01QNNNN", Ok(vec![0x180; 2]));
    check(b"h\x02QNNNN", Ok(vec![0x180; 2]));
    check(b"h\x03QNNNN", Err(Unreadable::Memo));
    // The class is not.
    let data = [b"C\x08", OID, b"q\x01h\x09\x86q\x02QNNNN"].concat();
    assert_eq!(found(&record(&[&data])), Err(Unreadable::Memo));
}

#[test]
fn what_is_put_last_counts() {
    // Number 2 out of the row, which then comes to it.
    let data = [b"C\x08", OID, b"r\x02\0\0\0Nq\x01Nq\x02h\x02Q"].concat();
    assert_eq!(found(&record(&[&data])), Err(Unreadable::Reference));
    let data = [b"Nq\x01Nq\x02C\x08", OID, b"q\x01h\x01QNNNNNN"].concat();
    assert_eq!(found(&record(&[&data])), Ok(vec![0x180]));
}

#[test]
fn lists_are_weak() {
    for state in [
        [b"](C\x01wC\x08".as_slice(), OID, b"\x85eQ"],
        [b"]C\x08", OID, b"aQ"],
        [b"(C\x08", OID, b"lQ"],
    ] {
        assert_eq!(found(&record(&state)), Ok(vec![]), "{state:?}");
    }
}

#[test]
fn data_that_look_like_a_reference_are_none() {
    assert_eq!(found(&record(&[b"C\x0bC\x08", OID, b"Q"])), Ok(vec![]));
    assert_eq!(found(&record(&[b"C\x08", OID])), Ok(vec![]));
}

#[test]
fn the_class_may_refer_too() {
    let data = [b"\x80\x03C\x08", OID, b"QN\x86.\x80\x03}."].concat();
    assert_eq!(found(&data), Ok(vec![0x180]));
}

#[test]
fn what_cannot_be_read_is_never_free_of_references() {
    let check =
        |data: &[u8], expected: Unreadable| assert_eq!(found(data), Err(expected), "{data:?}");
    check(b"", Unreadable::End);
    check(CLASS, Unreadable::End);
    check(&record(&[b"\xff"]), Unreadable::Opcode(0xff));
    check(&record(&[b"\x80\x06N"]), Unreadable::Protocol(6));
    check(&record(&[b"Q"]), Unreadable::Stack);
    check(
        &record(&[b"(NQ"]).replace_last(b"N", b"0"),
        Unreadable::Stack,
    );
    check(&record(&[b"K\x01Q"]), Unreadable::Reference);
    check(&record(&[b"C\x07", &OID[1..], b"Q"]), Unreadable::Reference);
    check(&record(&[b"h\x09Q"]), Unreadable::Memo);
    check(&record(&[b"T\xff\xff\xff\xff"]), Unreadable::Length);
    check(&record(&[b"C\xff"]), Unreadable::End);
    check(&record(&[b"S'\\x0"]), Unreadable::End);
    check(&record(&[b"S\\x00\nQ"]), Unreadable::Text);
    check(b".z\x78\x9c", Unreadable::Compressed);
}

trait Replace {
    fn replace_last(self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl Replace for Vec<u8> {
    fn replace_last(mut self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = self
            .windows(from.len())
            .rposition(|window| window == from)
            .unwrap();
        self.splice(at..at + from.len(), to.iter().copied());
        self
    }
}

#[test]
fn too_many_values_are_refused_and_not_kept() {
    let id = b"C\x08\0\0\0\0\0\0\x01\x80";
    let most = 2_000_000;
    for data in [
        record(&[&id.repeat(most + 1)]),
        record(&[id, &b"\x94".repeat(most + 1)]),
        record(&[id, &b"r\x01\0\0\x05".repeat(2), &b"\x94".repeat(most + 1)]),
        record(&[&b"(".repeat(most + 1)]),
    ] {
        assert_eq!(found(&data), Err(Unreadable::Large));
    }
    // Of those that can mean no reference nothing is kept.
    let data = record(&[&b"N\x94".repeat(5_000_000)]);
    assert_eq!(found(&data), Ok(vec![]));
}

#[test]
fn classes_are_named() {
    for (data, class) in [
        (CLASS, Some("module.Name")),
        (
            b"\x80\x03(cZODB.blob\nBlob\nq\x01Nt.",
            Some("ZODB.blob.Blob"),
        ),
        (
            b"\x80\x04\x95\0\0\0\0\0\0\0\0\x8c\x01m\x94\x8c\x01N\x94\x93\x94.",
            Some("m.N"),
        ),
        (b"\x80\x03C\x08\0\0\0\0\0\0\0\0Q.", None),
        (b"", None),
        (b"\x80\x03cunfinished", None),
    ] {
        assert_eq!(super::class(data).as_deref(), class);
    }
    assert!(is_blob(b"\x80\x03cZODB.blob\nBlob\nq\x00.\x80\x03N."));
    assert!(!is_blob(
        b"\x80\x03cmodule\nName\nq\x00.\x80\x03X\x09\0\0\0ZODB.blob."
    ));
}
