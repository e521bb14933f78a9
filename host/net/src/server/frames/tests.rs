//! Frames that are handed on, as h2 sees them.

use super::*;
use ouli_config::Limits;

fn frames() -> FrameInspector {
    let bounds = Bounds {
        http2_max_control_frames: 50,
        ..Bounds::from(&Limits::default())
    };
    let mut frames = FrameInspector::new(&bounds);
    assert_eq!(handed_on(&mut frames, PREFACE, 24), (24, PREFACE.to_vec()));
    frames
}

fn of(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = encode_frame(kind, payload);
    (frame[4], frame[8]) = (flags, 7);
    frame
}

/// How many bytes were taken, and what was handed on where there is so much room.
fn handed_on(frames: &mut FrameInspector, bytes: &[u8], room: usize) -> (usize, Vec<u8>) {
    let mut buffer = vec![0; room];
    let mut target = ReadBuf::new(&mut buffer);
    let taken = frames.forward(bytes, &mut target).unwrap();
    (taken, target.filled().to_vec())
}

/// All frames of these bytes, pieces of DATA joined: kind, flags and payload.
fn read(mut bytes: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
    let mut all: Vec<(u8, u8, Vec<u8>)> = Vec::new();
    while !bytes.is_empty() {
        let head = FrameHeader::parse(bytes[..FRAME_HEADER_LEN].try_into().unwrap());
        assert_eq!(head.stream_id, 7);
        let payload = &bytes[FRAME_HEADER_LEN..][..head.length];
        bytes = &bytes[FRAME_HEADER_LEN + head.length..];
        match all.last_mut() {
            Some((DATA, flags, data)) if head.is_splittable() && *flags == 0 => {
                *flags = head.flags;
                data.extend(payload);
            }
            _ => all.push((head.kind, head.flags, payload.to_vec())),
        }
    }
    all
}

/// What h2 reads them into: a buffer that has to hold a frame.
fn through(frames: &mut FrameInspector, mut bytes: &[u8], cut: usize) -> (Vec<u8>, usize) {
    let (mut all, mut buffered, mut used) = (Vec::new(), Vec::new(), 0);
    let mut capacity = MAX_DATA_CHUNK + FRAME_HEADER_LEN;
    while !bytes.is_empty() || frames.has_pending_head() {
        if !frames.should_yield() {
            let some = &bytes[..cut.min(bytes.len())];
            let (taken, new) = handed_on(frames, some, capacity - used - buffered.len());
            assert!(taken > 0 || !new.is_empty());
            (bytes, buffered) = (&bytes[taken..], [buffered, new].concat());
        }
        while let Some(head) = buffered.first_chunk::<FRAME_HEADER_LEN>() {
            let whole = FRAME_HEADER_LEN + FrameHeader::parse(*head).length;
            if buffered.len() < whole {
                // It has room made where it is short of it.
                if capacity - used < whole {
                    (capacity, used) = (capacity.max(whole), 0);
                }
                break;
            }
            all.extend(buffered.drain(..whole));
            used += whole;
        }
        if capacity - used < FRAME_HEADER_LEN + buffered.len() {
            used = 0;
        }
    }
    assert!(buffered.is_empty());
    (all, capacity)
}

#[test]
fn what_is_handed_on_says_the_same_and_needs_no_larger_buffer() {
    let small = of(HEADERS, END_HEADERS, &[7; 300]);
    let data: Vec<u8> = (0..16_384_u32).map(|byte| byte as u8).collect();
    let sent = [
        of(HEADERS, 0, &[1; 5000]),
        of(CONTINUATION, END_HEADERS, &[2; 10]),
        of(DATA, 0, &data),
        of(DATA, PADDED, &[3; 700]),
        of(DATA, END_STREAM, &data),
        small.repeat(40),
        of(DATA, 0, &[4]).repeat(100),
        of(WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
        of(SETTINGS, 1, &[]),
        of(DATA, END_STREAM, &[]),
    ]
    .concat();
    for cut in [1, 2, 9, 10, 100, 1000, 8192, 8193, 16_384, usize::MAX] {
        let (all, capacity) = through(&mut frames(), &sent, cut);
        assert!(read(&all) == read(&sent), "{cut}");
        assert_eq!(capacity, MAX_DATA_CHUNK + FRAME_HEADER_LEN, "{cut}");
    }
    // A frame that may not be cut needs as much as it is long.
    let large = of(HEADERS, END_HEADERS, &[1; 16_384]);
    assert_eq!(
        through(&mut frames(), &large, 4096),
        (large, 16_384 + FRAME_HEADER_LEN)
    );
}

#[test]
fn data_is_cut_to_the_room_that_there_is() {
    let data = of(DATA, END_STREAM, &[7; 10_000]);
    let mut frames = frames();
    let (taken, first) = handed_on(&mut frames, &data, 4096);
    assert_eq!((taken, first.len()), (4096, 4096));
    assert_eq!(
        FrameHeader::parse(*first.first_chunk().unwrap()).length,
        4096 - FRAME_HEADER_LEN
    );
    // Little room: the head of the next piece has more made.
    let (taken, head) = handed_on(&mut frames, &data[4096..], 20);
    assert_eq!((taken, head.len()), (0, FRAME_HEADER_LEN));
    assert_eq!(head[4], END_STREAM);
    let (taken, last) = handed_on(&mut frames, &data[4096..], 8192 - FRAME_HEADER_LEN);
    assert_eq!((taken, last.len()), (data.len() - 4096, data.len() - 4096));
}

#[test]
fn others_have_their_turn_after_some_requests() {
    let head = of(HEADERS, END_HEADERS | END_STREAM, &[0x82]);
    let mut frames = frames();
    let (taken, handed) = handed_on(&mut frames, &head.repeat(MAX_REQUESTS_PER_TURN + 2), 8192);
    assert_eq!(
        (taken, handed),
        (
            MAX_REQUESTS_PER_TURN * head.len(),
            head.repeat(MAX_REQUESTS_PER_TURN)
        )
    );
    assert!(frames.should_yield());
    assert!(!frames.should_yield());
    assert_eq!(handed_on(&mut frames, &head, 8192), (head.len(), head));
}

#[test]
fn floods_are_found_wherever_reads_cut_them() {
    let ping = of(PING, 0, &[7; 8]);
    for size in [1, 2, 9, 10, 17, 1000] {
        let mut counted = frames();
        let fits = ping.repeat(50);
        for piece in fits.chunks(size) {
            handed_on(&mut counted, piece, 8192);
        }
        let mut buffer = [0; 100];
        let last: Result<Vec<_>, _> = ping
            .chunks(size)
            .map(|one| counted.forward(one, &mut ReadBuf::new(&mut buffer)))
            .collect();
        assert_eq!(last.unwrap_err(), "http2_max_control_frames", "{size}");
    }
}

#[test]
fn a_head_is_amid_until_its_last_frame_is_whole() {
    let mut counted = frames();
    assert!(!counted.is_mid_frame());
    let last = of(CONTINUATION, END_HEADERS, &[0x82]);
    handed_on(&mut counted, &of(HEADERS, 0, &[0x82]), 100);
    assert!(counted.is_mid_frame());
    for piece in last.chunks(3) {
        assert!(counted.is_mid_frame());
        handed_on(&mut counted, piece, 100);
    }
    assert!(!counted.is_mid_frame());
    handed_on(&mut counted, &of(PING, 0, &[7; 8])[..12], 100);
    assert!(counted.is_mid_frame());
}

#[test]
fn the_end_names_the_last_stream_and_the_limit() {
    let mut counted = frames();
    handed_on(&mut counted, &of(HEADERS, END_HEADERS, &[]), 100);
    let goaway = counted.goaway("http2_max_client_resets");
    assert_eq!(goaway[9..17], [0, 0, 0, 7, 0, 0, 0, 0xb]);
    assert!(goaway.ends_with(b"limits.http2_max_client_resets"));
    assert_eq!(goaway[2] as usize, goaway.len() - FRAME_HEADER_LEN);
}

/// A frame of this stream.
fn on(stream: u8, kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = of(kind, flags, payload);
    frame[8] = stream;
    frame
}

/// Frames of a client that have been read by an h2.
fn after(all: &[Vec<u8>]) -> FrameInspector {
    let mut frames = frames();
    let bytes = all.concat();
    assert_eq!(handed_on(&mut frames, &bytes, 1 << 20).0, bytes.len());
    frames
}

const WINDOW: u32 = 256 << 10;

/// What a client sends that has asked on stream 1, and has a table that is empty.
fn opening() -> Vec<Vec<u8>> {
    vec![
        on(0, SETTINGS, 0, &[0, 4, 0, 0, 0, 9, 0, 77, 0, 0, 0, 1]),
        on(0, SETTINGS, ACK, &[]),
        on(1, HEADERS, END_STREAM | END_HEADERS, &[0x20, 0x82]),
    ]
}

/// A response that is whole.
fn answer(stream: u8) -> Vec<u8> {
    on(stream, HEADERS, END_STREAM | END_HEADERS, &[0x88])
}

#[test]
fn another_h2_is_told_what_the_client_said_last() {
    let more = [
        on(0, SETTINGS, 0, &[0, 4, 0, 0, 0, 200, 0, 3, 0, 0, 1, 0]),
        on(0, WINDOW_UPDATE, 0, &[0, 0, 0, 7]),
        on(0, WINDOW_UPDATE, 0, &[0, 0, 0, 3]),
        on(1, WINDOW_UPDATE, 0, &[0, 0, 0, 50]),
    ];
    let mut frames = after(&[opening(), more.to_vec()].concat());
    assert!(!frames.can_suspend(WINDOW), "stream 1 has no answer yet");
    frames.on_bytes_sent(&answer(1));
    assert!(frames.can_suspend(WINDOW));
    let mut handshake = frames.resume();
    let told = handshake.read(1000).to_vec();
    let expected = [
        PREFACE,
        &on(0, SETTINGS, 0, &[0, 3, 0, 0, 1, 0, 0, 4, 0, 0, 0, 200]),
        &on(0, SETTINGS, ACK, &[]),
        &on(0, WINDOW_UPDATE, 0, &[0, 0, 0, 10]),
    ];
    assert_eq!(told, expected.concat());
    let said = [
        on(0, SETTINGS, 0, &[0, 4, 0, 0, 0, 9]),
        on(0, SETTINGS, ACK, &[]),
        on(0, WINDOW_UPDATE, 0, &[0, 0, 1, 0]),
    ];
    for byte in said.concat() {
        assert!(!handshake.is_complete());
        handshake.write(&[byte]);
    }
    assert!(handshake.is_complete());
}

#[test]
fn both_windows_are_kept_account_of() {
    let body = vec![b'x'; 1000];
    let asks = [
        on(1, HEADERS, END_HEADERS, &[0x20, 0x82]),
        on(1, DATA, PADDED, &[&[9][..], &body].concat()),
        on(1, DATA, END_STREAM, &body),
        on(0, WINDOW_UPDATE, 0, &[0, 0, 4, 0]),
    ];
    let mut frames = after(&[&opening()[..2], &asks[..]].concat());
    let answers = [
        on(0, WINDOW_UPDATE, 0, &(WINDOW - 65_535).to_be_bytes()),
        on(1, HEADERS, END_HEADERS, &[0x88]),
        on(1, DATA, 0, &body),
        on(1, DATA, END_STREAM, &[]),
    ];
    for piece in answers.concat().chunks(7) {
        frames.on_bytes_sent(piece);
    }
    assert!(frames.can_suspend(WINDOW));
    let owed = on(0, WINDOW_UPDATE, 0, &[0, 0, 7, 0xd1]);
    assert_eq!(frames.take_window_update(WINDOW), owed, "2,001 bytes came");
    assert_eq!(frames.take_window_update(WINDOW), b"");
    let told = frames.resume().read(1000).to_vec();
    assert!(told.ends_with(&[0, 0, 0, 24]), "1,024 more, and 1,000 sent");
}

#[test]
fn a_connection_of_which_not_all_is_known_does_not_rest() {
    let reset = |stream| on(stream, RST_STREAM, 0, &[0; 4]);
    let whole = |more: &[Vec<u8>], sent: &[Vec<u8>]| {
        let mut frames = after(&[&opening(), more].concat());
        frames.on_bytes_sent(&[&[answer(1)], sent].concat().concat());
        frames.can_suspend(WINDOW)
    };
    let begun = on(3, HEADERS, END_HEADERS, &[0x82]);
    let data = on(1, DATA, 0, &[b'x'; 20]);
    assert!(whole(&[], &[]));
    assert!(whole(&[begun.clone(), reset(3)], &[]), "the client gave up");
    assert!(whole(&[on(3, DATA, END_STREAM, &[])], &[]));
    let wider = on(0, WINDOW_UPDATE, 0, &[0, 0, 0, 30]);
    assert!(whole(&[wider], std::slice::from_ref(&data)));
    // A stream that goes on, one that the client may still send on, less room than a new h2 knows
    // of, half a frame in both directions, and an end.
    assert!(!whole(std::slice::from_ref(&begun), &[answer(3)]));
    assert!(!whole(&[begun], &[reset(3)]));
    assert!(!whole(&[], &[data]));
    assert!(!whole(&[], &[vec![0, 0]]));
    assert!(!whole(&[vec![0, 0]], &[]));
    assert!(!whole(&[on(0, GOAWAY, 0, &[0; 8])], &[]));
    let mut frames = after(&[opening()[..2].to_vec(), vec![on(1, HEADERS, 5, &[0x82])]].concat());
    frames.on_bytes_sent(&answer(1));
    assert!(!frames.can_suspend(WINDOW), "it has a table");
    let mut frames = after(&opening());
    frames.on_bytes_sent(&answer(1));
    assert!(!frames.can_suspend(65_536), "h2 would not say so");
}

#[test]
fn what_is_said_of_a_stream_that_ended_is_not_handed_on() {
    let mut frames = after(&opening());
    frames.on_bytes_sent(&answer(1));
    frames.resume();
    let late = [
        on(1, WINDOW_UPDATE, 0, &[0, 0, 0, 9]),
        on(1, RST_STREAM, 0, &[0; 4]),
        on(3, HEADERS, END_STREAM | END_HEADERS, &[0x82]),
        on(3, WINDOW_UPDATE, 0, &[0, 0, 0, 9]),
    ];
    let (taken, shown) = handed_on(&mut frames, &late.concat(), 1 << 10);
    assert_eq!((taken, shown), (late.concat().len(), late[2..].concat()));
}
