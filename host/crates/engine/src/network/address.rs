//! Which addresses a *name* may never lead to: this machine, its neighbours, and the
//! services that clouds hide behind fixed addresses. What the operator wrote as an
//! address is not checked here: it says what is meant.
//!
//! Sources: the IANA special-purpose address registries (RFC 6890 and its updates).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a name must not lead there; none where it may.
pub(super) fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => forbidden_v6(v6),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    // Azure's and Oracle's metadata services; the others lie in the ranges below.
    const METADATA: [[u8; 4]; 3] = [[168, 63, 129, 16], [192, 0, 0, 192], [100, 100, 100, 200]];
    let octets = address.octets();
    if METADATA.contains(&octets) || octets == [169, 254, 169, 254] {
        return Some("a metadata service's");
    }
    match octets {
        [127, ..] => Some("a loopback"),
        [0, ..] => Some("an unspecified"),
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] => Some("a private"),
        [169, 254, ..] => Some("a link-local"),
        [100, 64..=127, ..] => Some("a carrier's private (100.64.0.0/10)"),
        [192, 0, 0, _] | [198, 18 | 19, ..] | [240..=255, ..] => Some("a reserved"),
        [224..=239, ..] => Some("a multicast"),
        _ => None,
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) {
        return Some("a metadata service's");
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback"),
        // IPv4 in IPv6: mapped, compatible, translated (RFC 6052), 6to4.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => forbidden_v4(embedded(high, low)),
        [0x64, 0xff9b, 1, ..] => Some("a private (64:ff9b:1::/48)"),
        [0x2001, 0, ..] => Some("a tunnelled (Teredo)"),
        [0xfc00..=0xfdff, ..] => Some("a unique-local"),
        [0xfe80..=0xfebf, ..] => Some("a link-local"),
        [0xfec0..=0xfeff, ..] => Some("a site-local"),
        [0xff00..=0xffff, ..] => Some("a multicast"),
        [0x100, 0, 0, 0, ..] => Some("a reserved"),
        _ => None,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_name_must_not_lead() {
        for text in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "240.0.0.1",
            "198.18.0.1",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fdff::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:0:1::1",
            "100::1",
        ] {
            assert!(forbidden(text.parse().unwrap()).is_some(), "{text}");
        }
    }

    #[test]
    fn where_a_name_may_lead() {
        for text in [
            "1.1.1.1",
            "93.184.216.34",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "169.253.0.1",
            "192.167.0.1",
            "168.63.129.17",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:db8::1",
            "2a00:1450::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert_eq!(forbidden(text.parse().unwrap()), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_disguise_helps(address: u32) {
            let v4 = Ipv4Addr::from(address);
            let why = forbidden(v4.into());
            let [a, b, c, d] = v4.octets().map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            for disguised in [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                proptest::prop_assert_eq!(forbidden(disguised.into()), why);
            }
        }
    }
}
