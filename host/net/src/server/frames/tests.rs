//! The frames that h2 reads, and when a new h2 can take over.

use tokio::io::ReadBuf;

use super::frame::*;
use super::inspector::{FrameInspector, MAX_DATA_CHUNK, MAX_REQUESTS_PER_TURN};
use super::stream_marker;
use crate::server::bounds::Bounds;

/// An inspector that has forwarded the preface.
fn inspector() -> FrameInspector {
    let bounds = Bounds {
        http2_max_control_frames: 50,
        ..Bounds::default()
    };
    let mut inspector = FrameInspector::new(&bounds);
    assert_eq!(forward(&mut inspector, PREFACE, 24), (24, PREFACE.to_vec()));
    inspector
}

/// A frame of stream 7.
fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    stream_frame(7, kind, flags, payload)
}

fn stream_frame(stream: u8, kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = encode_frame(kind, flags, payload);
    frame[8] = stream;
    frame
}

/// A request frame as it is forwarded: with the marker of its stream.
fn marked(mut request: Vec<u8>) -> Vec<u8> {
    let header = FrameHeader::parse(*request.first_chunk().unwrap());
    let marker = stream_marker::for_frame(&header, 16 << 10);
    request[2] += u8::try_from(marker.len()).unwrap();
    request.extend(marker);
    request
}

/// How many bytes were consumed, and what was forwarded into a buffer of `room` bytes.
fn forward(inspector: &mut FrameInspector, bytes: &[u8], room: usize) -> (usize, Vec<u8>) {
    let mut buffer = vec![0; room];
    let mut target = ReadBuf::new(&mut buffer);
    let consumed = inspector.forward(bytes, &mut target).unwrap();
    (consumed, target.filled().to_vec())
}

/// The type, flags and payload of all inspector, with split DATA joined.
fn parse(mut bytes: &[u8]) -> Vec<(u8, u8, Vec<u8>)> {
    let mut all: Vec<(u8, u8, Vec<u8>)> = Vec::new();
    while !bytes.is_empty() {
        let header = FrameHeader::parse(bytes[..FRAME_HEADER_LEN].try_into().unwrap());
        assert_eq!(header.stream_id, 7);
        let payload = &bytes[FRAME_HEADER_LEN..][..header.length];
        bytes = &bytes[FRAME_HEADER_LEN + header.length..];
        match all.last_mut() {
            Some((DATA, flags, data))
                if header.kind == DATA && header.flags & PADDED == 0 && *flags == 0 =>
            {
                *flags = header.flags;
                data.extend(payload);
            }
            _ => all.push((header.kind, header.flags, payload.to_vec())),
        }
    }
    all
}

/// Reads frames as h2 does, into a buffer that has to hold a whole frame. Bytes arrive in chunks of
/// `chunk_size`. Returns the frames and the buffer's final capacity.
fn read_like_h2(
    inspector: &mut FrameInspector,
    mut bytes: &[u8],
    chunk_size: usize,
) -> (Vec<u8>, usize) {
    let (mut all, mut buffered, mut used) = (Vec::new(), Vec::new(), 0);
    let mut capacity = MAX_DATA_CHUNK + FRAME_HEADER_LEN;
    while !bytes.is_empty() || inspector.has_pending_output() {
        if !inspector.should_yield() {
            let chunk = &bytes[..chunk_size.min(bytes.len())];
            let (consumed, new) = forward(inspector, chunk, capacity - used - buffered.len());
            assert!(consumed > 0 || !new.is_empty());
            (bytes, buffered) = (&bytes[consumed..], [buffered, new].concat());
        }
        while let Some(header) = buffered.first_chunk::<FRAME_HEADER_LEN>() {
            let length = FRAME_HEADER_LEN + FrameHeader::parse(*header).length;
            if buffered.len() < length {
                // h2 makes room for a frame that does not fit.
                if capacity - used < length {
                    (capacity, used) = (capacity.max(length), 0);
                }
                break;
            }
            all.extend(buffered.drain(..length));
            used += length;
        }
        if capacity - used < FRAME_HEADER_LEN + buffered.len() {
            used = 0;
        }
    }
    assert!(buffered.is_empty());
    (all, capacity)
}

#[test]
fn forwards_the_same_frames_without_a_larger_buffer() {
    let small = frame(HEADERS, END_HEADERS, &[7; 300]);
    let data: Vec<u8> = (0..16_384_u32).map(|byte| byte as u8).collect();
    let sent = [
        frame(HEADERS, 0, &[1; 5000]),
        frame(CONTINUATION, END_HEADERS, &[2; 10]),
        frame(DATA, 0, &data),
        frame(DATA, PADDED, &[3; 700]),
        frame(DATA, END_STREAM, &data),
        small.repeat(40),
        frame(DATA, 0, &[4]).repeat(100),
        frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]),
        frame(SETTINGS, 1, &[]),
        frame(DATA, END_STREAM, &[]),
    ]
    .concat();
    for size in [1, 2, 9, 10, 100, 1000, 8192, 8193, 16_384, usize::MAX] {
        let (all, capacity) = read_like_h2(&mut inspector(), &sent, size);
        assert!(parse(&all) == parse(&sent), "{size}");
        assert_eq!(capacity, MAX_DATA_CHUNK + FRAME_HEADER_LEN, "{size}");
    }
    // A frame that cannot be split needs a buffer of its length.
    let large = frame(HEADERS, END_HEADERS, &[1; 16_384]);
    assert_eq!(
        read_like_h2(&mut inspector(), &large, 4096),
        (large, 16_384 + FRAME_HEADER_LEN)
    );
}

#[test]
fn splits_data_to_fit_the_buffer() {
    let data = frame(DATA, END_STREAM, &[7; 10_000]);
    let mut inspector = inspector();
    let (consumed, first) = forward(&mut inspector, &data, 4096);
    assert_eq!((consumed, first.len()), (4096, 4096));
    assert_eq!(
        FrameHeader::parse(*first.first_chunk().unwrap()).length,
        4096 - FRAME_HEADER_LEN
    );
    // With little room left, only the next chunk's header is forwarded, so that h2 makes room.
    let (consumed, header) = forward(&mut inspector, &data[4096..], 20);
    assert_eq!((consumed, header.len()), (0, FRAME_HEADER_LEN));
    assert_eq!(header[4], END_STREAM);
    let rest = &data[4096..];
    let (consumed, last) = forward(&mut inspector, rest, 8192 - FRAME_HEADER_LEN);
    assert_eq!((consumed, last.len()), (rest.len(), rest.len()));
}

#[test]
fn yields_after_some_requests() {
    let request = frame(HEADERS, END_HEADERS | END_STREAM, &[0x82]);
    let mut inspector = inspector();
    let sent = request.repeat(MAX_REQUESTS_PER_TURN + 2);
    let (consumed, forwarded) = forward(&mut inspector, &sent, 8192);
    assert_eq!(consumed, MAX_REQUESTS_PER_TURN * request.len());
    let again = request.repeat(MAX_REQUESTS_PER_TURN - 1);
    assert_eq!(forwarded, [marked(request.clone()), again].concat());
    assert!(inspector.should_yield());
    assert!(!inspector.should_yield());
    assert_eq!(
        forward(&mut inspector, &request, 8192),
        (request.len(), request)
    );
}

#[test]
fn counts_frames_in_chunks_of_any_size() {
    let ping = frame(PING, 0, &[7; 8]);
    for size in [1, 2, 9, 10, 17, 1000] {
        let mut inspector = inspector();
        let allowed = ping.repeat(50);
        for chunk in allowed.chunks(size) {
            forward(&mut inspector, chunk, 8192);
        }
        let mut buffer = [0; 100];
        let last: Result<Vec<_>, _> = ping
            .chunks(size)
            .map(|chunk| inspector.forward(chunk, &mut ReadBuf::new(&mut buffer)))
            .collect();
        assert_eq!(last.unwrap_err(), "http2_max_control_frames", "{size}");
    }
}

#[test]
fn a_header_block_is_incomplete_until_its_last_frame() {
    let mut inspector = inspector();
    assert!(!inspector.is_mid_frame());
    let last = frame(CONTINUATION, END_HEADERS, &[0x82]);
    forward(&mut inspector, &frame(HEADERS, 0, &[0x82]), 100);
    assert!(inspector.is_mid_frame());
    for chunk in last.chunks(3) {
        assert!(inspector.is_mid_frame());
        forward(&mut inspector, chunk, 100);
    }
    assert!(!inspector.is_mid_frame());
    forward(&mut inspector, &frame(PING, 0, &[7; 8])[..12], 100);
    assert!(inspector.is_mid_frame());
}

#[test]
fn goaway_names_the_last_stream_and_the_limit() {
    let mut inspector = inspector();
    forward(&mut inspector, &frame(HEADERS, END_HEADERS, &[]), 100);
    let goaway = inspector.goaway("http2_max_client_resets");
    assert_eq!(goaway[9..17], [0, 0, 0, 7, 0, 0, 0, 0xb]);
    assert!(goaway.ends_with(b"limits.http2_max_client_resets"));
    assert_eq!(goaway[2] as usize, goaway.len() - FRAME_HEADER_LEN);
}

/// An inspector that has forwarded these frames of a client.
fn after(all: &[Vec<u8>]) -> FrameInspector {
    let mut inspector = inspector();
    let bytes = all.concat();
    assert_eq!(forward(&mut inspector, &bytes, 1 << 20).0, bytes.len());
    inspector
}

const WINDOW: u32 = 256 << 10;

/// The frames of a client that sends a request on stream 1 and empties its HPACK table.
fn opening() -> Vec<Vec<u8>> {
    vec![
        stream_frame(0, SETTINGS, 0, &[0, 4, 0, 0, 0, 9, 0, 77, 0, 0, 0, 1]),
        stream_frame(0, SETTINGS, ACK, &[]),
        stream_frame(1, HEADERS, END_STREAM | END_HEADERS, &[0x20, 0x82]),
    ]
}

/// A complete response.
fn response(stream: u8) -> Vec<u8> {
    stream_frame(stream, HEADERS, END_STREAM | END_HEADERS, &[0x88])
}

#[test]
fn a_new_h2_reads_the_latest_settings_and_window() {
    let more = [
        stream_frame(0, SETTINGS, 0, &[0, 4, 0, 0, 0, 200, 0, 3, 0, 0, 1, 0]),
        stream_frame(0, WINDOW_UPDATE, 0, &[0, 0, 0, 7]),
        stream_frame(0, WINDOW_UPDATE, 0, &[0, 0, 0, 3]),
        stream_frame(1, WINDOW_UPDATE, 0, &[0, 0, 0, 50]),
    ];
    let mut inspector = after(&[opening(), more.to_vec()].concat());
    assert!(
        !inspector.can_suspend(WINDOW),
        "stream 1 has no response yet"
    );
    inspector.on_bytes_sent(&response(1));
    assert!(inspector.can_suspend(WINDOW));
    let mut handshake = inspector.resume();
    let preface = handshake.read(1000).to_vec();
    let expected = [
        PREFACE,
        &stream_frame(0, SETTINGS, 0, &[0, 3, 0, 0, 1, 0, 0, 4, 0, 0, 0, 200]),
        &stream_frame(0, SETTINGS, ACK, &[]),
        &stream_frame(0, WINDOW_UPDATE, 0, &[0, 0, 0, 10]),
    ];
    assert_eq!(preface, expected.concat());
    let written = [
        stream_frame(0, SETTINGS, 0, &[0, 4, 0, 0, 0, 9]),
        stream_frame(0, SETTINGS, ACK, &[]),
        stream_frame(0, WINDOW_UPDATE, 0, &[0, 0, 1, 0]),
    ];
    for byte in written.concat() {
        assert!(!handshake.is_complete());
        handshake.write(&[byte]);
    }
    assert!(handshake.is_complete());
}

#[test]
fn tracks_both_connection_windows() {
    let body = vec![b'x'; 1000];
    let request = [
        stream_frame(1, HEADERS, END_HEADERS, &[0x20, 0x82]),
        stream_frame(1, DATA, PADDED, &[&[9][..], &body].concat()),
        stream_frame(1, DATA, END_STREAM, &body),
        stream_frame(0, WINDOW_UPDATE, 0, &[0, 0, 4, 0]),
    ];
    let mut inspector = after(&[&opening()[..2], &request[..]].concat());
    let response = [
        stream_frame(0, WINDOW_UPDATE, 0, &(WINDOW - 65_535).to_be_bytes()),
        stream_frame(1, HEADERS, END_HEADERS, &[0x88]),
        stream_frame(1, DATA, 0, &body),
        stream_frame(1, DATA, END_STREAM, &[]),
    ];
    for chunk in response.concat().chunks(7) {
        inspector.on_bytes_sent(chunk);
    }
    assert!(inspector.can_suspend(WINDOW));
    let update = stream_frame(0, WINDOW_UPDATE, 0, &[0, 0, 7, 0xd1]);
    assert_eq!(
        inspector.take_window_update(WINDOW),
        update,
        "2,001 bytes arrived"
    );
    assert_eq!(inspector.take_window_update(WINDOW), b"");
    let preface = inspector.resume().read(1000).to_vec();
    assert!(
        preface.ends_with(&[0, 0, 0, 24]),
        "1,024 bytes granted, 1,000 sent"
    );
}

#[test]
fn suspends_only_where_the_whole_state_is_known() {
    let reset = |stream| stream_frame(stream, RST_STREAM, 0, &[0; 4]);
    let can_suspend = |more: &[Vec<u8>], sent: &[Vec<u8>]| {
        let mut inspector = after(&[&opening(), more].concat());
        inspector.on_bytes_sent(&[&[response(1)], sent].concat().concat());
        inspector.can_suspend(WINDOW)
    };
    let request = stream_frame(3, HEADERS, END_HEADERS, &[0x82]);
    let data = stream_frame(1, DATA, 0, &[b'x'; 20]);
    assert!(can_suspend(&[], &[]));
    assert!(
        can_suspend(&[request.clone(), reset(3)], &[]),
        "cancelled by the client"
    );
    assert!(can_suspend(&[stream_frame(3, DATA, END_STREAM, &[])], &[]));
    let update = stream_frame(0, WINDOW_UPDATE, 0, &[0, 0, 0, 30]);
    assert!(can_suspend(&[update], std::slice::from_ref(&data)));
    // An open stream, a stream that the client may still send on, a window smaller than a new h2
    // assumes, half a frame in both directions, and a GOAWAY.
    assert!(!can_suspend(std::slice::from_ref(&request), &[response(3)]));
    assert!(!can_suspend(&[request], &[reset(3)]));
    assert!(!can_suspend(&[], &[data]));
    assert!(!can_suspend(&[], &[vec![0, 0]]));
    assert!(!can_suspend(&[vec![0, 0]], &[]));
    assert!(!can_suspend(&[stream_frame(0, GOAWAY, 0, &[0; 8])], &[]));
    let mut inspector = after(
        &[
            opening()[..2].to_vec(),
            vec![stream_frame(1, HEADERS, 5, &[0x82])],
        ]
        .concat(),
    );
    inspector.on_bytes_sent(&response(1));
    assert!(
        !inspector.can_suspend(WINDOW),
        "the client has an HPACK table"
    );
    let mut inspector = after(&opening());
    inspector.on_bytes_sent(&response(1));
    assert!(
        !inspector.can_suspend(65_536),
        "h2 would not announce the window"
    );
}

#[test]
fn does_not_forward_frames_of_ended_streams() {
    let mut inspector = after(&opening());
    inspector.on_bytes_sent(&response(1));
    inspector.resume();
    let late = [
        stream_frame(1, WINDOW_UPDATE, 0, &[0, 0, 0, 9]),
        stream_frame(1, RST_STREAM, 0, &[0; 4]),
        stream_frame(3, HEADERS, END_STREAM | END_HEADERS, &[0x82]),
        stream_frame(3, WINDOW_UPDATE, 0, &[0, 0, 0, 9]),
    ];
    let (consumed, forwarded) = forward(&mut inspector, &late.concat(), 1 << 10);
    assert_eq!(consumed, late.concat().len());
    let [_, _, request, update] = late;
    assert_eq!(forwarded, [marked(request), update].concat());
}

#[test]
fn appends_the_marker_of_a_stream_whatever_the_chunks_and_buffers() {
    let request = stream_frame(5, HEADERS, END_STREAM | END_HEADERS, &[0x82; 100]);
    let expected = marked(request.clone());
    for chunk_size in [1, 7, 1000] {
        for room in [FRAME_HEADER_LEN + 1, 20, 1000] {
            let (mut inspector, mut forwarded) = (inspector(), Vec::new());
            let mut left = Vec::new();
            for chunk in request.chunks(chunk_size) {
                left.extend_from_slice(chunk);
                while !left.is_empty() || inspector.has_pending_output() {
                    let (consumed, bytes) = forward(&mut inspector, &left, room);
                    left.drain(..consumed);
                    forwarded.extend(bytes);
                }
            }
            assert_eq!(forwarded, expected, "{chunk_size} {room}");
            assert!(!inspector.is_mid_frame());
        }
    }
}
