"""Keys whose secret halves anyone can look up: whoever trusts one of them trusts everyone."""

from __future__ import annotations

PUBLISHED = frozenset(
    bytes.fromhex(text)
    for text in (
        # RFC 8032, section 7.1: TEST 1, TEST 2, TEST 3, TEST 1024, TEST SHA(abc).
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        # golang.org/x/mod/sumdb/note, note_test.go: PeterNeumann, EnochRoot (the key of the all-zero seed).
        "1a5cd907143c384c41e830c5bce12aa8817ec5649aaabf2c31388b35b2d744d6",
        "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
        # transparency-dev/tessera, testdata/log: example.com/log/testdata.
        "e1d3bb843784420c1cda9ce9f01232cab7aca371dbcd0d23ea0ee710859244b1",
        # C2SP signed-note: example.com/foo.
        "e932791ae6e7a840a46164c904786426d5e7821dd8b29a00d61cae72afdd4da4",
        # FiloSottile/sunlight, testdata of a witness: mirror.example.org, witness.example.org.
        "00238dc87d1b2633d2c26c271ec02e16dd02dcf6a2fd2e9dbcd2975bcca7de0e",
        "52cddf28a449f16454026dae787f0a2637668ce4a32edc969f8fed7076f2a50d",
    )
)
