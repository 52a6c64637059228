//! The fixtures of the MCP conformance suite, in the build that mounts them. Every answer and every
//! notice is held against the schema of its era by the harness.

use serde_json::{Value, json};

use super::{ERAS, NEWEST_LEGACY, connect};
use crate::harness::{Client, Era, Home};

/// Sends a request and returns its result.
#[track_caller]
fn result(client: &mut Client, method: &str, params: Value) -> Value {
    let reply = client.request(method, params);
    let result = reply.get("result").cloned();
    result.unwrap_or_else(|| panic!("{method}: {reply}"))
}

#[track_caller]
fn content_of(client: &mut Client, tool: &str) -> Value {
    let result = result(client, "tools/call", json!({"name": tool}));
    assert_eq!(result.get("isError"), None, "{result}");
    result["content"].clone()
}

#[track_caller]
fn messages_of(client: &mut Client, prompt: &str, arguments: Value) -> Vec<Value> {
    let params = json!({"name": prompt, "arguments": arguments});
    let messages = result(client, "prompts/get", params)["messages"].clone();
    let messages: Vec<Value> = serde_json::from_value(messages).unwrap();
    messages
        .into_iter()
        .map(|message| {
            assert_eq!(message["role"], "user");
            message["content"].clone()
        })
        .collect()
}

#[track_caller]
fn read(client: &mut Client, uri: &str) -> Value {
    let read = result(client, "resources/read", json!({"uri": uri}));
    let contents = read["contents"].as_array().unwrap();
    assert_eq!(contents.len(), 1, "{read}");
    assert_eq!(contents[0]["uri"], uri);
    contents[0].clone()
}

/// The bytes behind base64 in its usual alphabet.
#[track_caller]
fn bytes_of(encoded: &Value) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encoded = encoded.as_str().unwrap();
    assert_eq!(encoded.len() % 4, 0, "{encoded}");
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0, 0_u32);
    for letter in encoded.trim_end_matches('=').bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter);
        held = held << 6 | value.expect("a letter of base64") as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

#[track_caller]
fn assert_png(encoded: &Value) {
    let bytes = bytes_of(encoded);
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"));
    assert!(bytes.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
}

#[track_caller]
fn names(listed: &Value, name: &str) -> Vec<String> {
    let listed = listed.as_array().unwrap().iter();
    listed
        .map(|entry| entry[name].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn they_are_listed_after_what_sage_has() {
    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        let tools = result(&mut client, "tools/list", json!({}));
        assert_eq!(
            names(&tools["tools"], "name")[8..],
            [
                "test_simple_text",
                "test_image_content",
                "test_audio_content",
                "test_embedded_resource",
                "test_multiple_content_types",
                "test_error_handling",
                "test_tool_with_progress",
                "json_schema_2020_12_tool"
            ]
        );
        let schema = &tools["tools"][15]["inputSchema"];
        let dialect = "https://json-schema.org/draft/2020-12/schema";
        assert_eq!(schema["$schema"], dialect);
        assert_eq!(schema["$defs"]["address"]["$anchor"], "addressDef");
        assert_eq!(schema["additionalProperties"], false);
        for keyword in ["allOf", "if", "then", "else"] {
            assert!(schema.get(keyword).is_some(), "{keyword}: {schema}");
        }

        let prompts = result(&mut client, "prompts/list", json!({}));
        assert_eq!(
            names(&prompts["prompts"], "name")[2..],
            [
                "test_simple_prompt",
                "test_prompt_with_arguments",
                "test_prompt_with_embedded_resource",
                "test_prompt_with_image"
            ]
        );
        let resources = result(&mut client, "resources/list", json!({}));
        assert_eq!(
            names(&resources["resources"], "uri")[2..],
            ["test://static-text", "test://static-binary"]
        );
        let templates = result(&mut client, "resources/templates/list", json!({}));
        assert_eq!(
            names(&templates["resourceTemplates"], "uriTemplate")[2..],
            ["test://template/{id}/data"]
        );
    }
}

#[test]
fn later_pages_of_resources_do_not_repeat_them() {
    let home = Home::new();
    let mut client = connect(&home, Era::Modern);
    for n in 0..60 {
        let session = format!("s-{n:02}");
        let arguments = json!({"action": "create", "session": session});
        client.tool("manage_session", arguments);
    }
    let first = result(&mut client, "resources/list", json!({}));
    let cursor = &first["nextCursor"];
    let second = result(&mut client, "resources/list", json!({"cursor": cursor}));
    let has_fixture = |page: &Value| {
        let uris = names(&page["resources"], "uri");
        uris.iter().any(|uri| uri.starts_with("test://"))
    };
    assert!(has_fixture(&first) && !has_fixture(&second), "{second}");
}

#[test]
fn tools_return_every_kind_of_content() {
    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        let text = content_of(&mut client, "test_simple_text");
        let expected = "This is a simple text response for testing.";
        assert_eq!(text, json!([{"type": "text", "text": expected}]));

        let image = content_of(&mut client, "test_image_content");
        assert_eq!(image[0]["type"], "image");
        assert_eq!(image[0]["mimeType"], "image/png");
        assert_png(&image[0]["data"]);

        let audio = content_of(&mut client, "test_audio_content");
        assert_eq!(audio[0]["type"], "audio");
        assert_eq!(audio[0]["mimeType"], "audio/wav");
        let wav = bytes_of(&audio[0]["data"]);
        assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
        let told = u32::from_le_bytes(wav[4..8].try_into().unwrap());
        assert_eq!(told as usize, wav.len() - 8);

        let embedded = content_of(&mut client, "test_embedded_resource");
        assert_eq!(
            embedded,
            json!([{"type": "resource", "resource": {
                "uri": "test://embedded-resource",
                "mimeType": "text/plain",
                "text": "This is an embedded resource content."}}])
        );

        let mixed = content_of(&mut client, "test_multiple_content_types");
        assert_eq!(names(&mixed, "type"), ["text", "image", "resource"]);
        assert_eq!(mixed[0]["text"], "Multiple content types test:");
        assert_png(&mixed[1]["data"]);
        let resource = &mixed[2]["resource"];
        assert_eq!(resource["uri"], "test://mixed-content-resource");
        let data: Value = serde_json::from_str(resource["text"].as_str().unwrap()).unwrap();
        assert_eq!(data, json!({"test": "data", "value": 123}));

        let text = client.tool_error("test_error_handling", json!({}));
        let expected = "This tool intentionally returns an error for testing";
        assert_eq!(text, expected);
    }
}

#[test]
fn prompts_return_what_they_are_given() {
    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        let simple = messages_of(&mut client, "test_simple_prompt", json!({}));
        let expected = "This is a simple prompt for testing.";
        assert_eq!(simple, [json!({"type": "text", "text": expected})]);

        let arguments = json!({"arg1": "hello", "arg2": "world"});
        let filled = messages_of(&mut client, "test_prompt_with_arguments", arguments);
        let expected = "Prompt with arguments: arg1='hello', arg2='world'";
        assert_eq!(filled, [json!({"type": "text", "text": expected})]);

        let name = "test_prompt_with_embedded_resource";
        let arguments = json!({"resourceUri": "test://example-resource"});
        let embedded = messages_of(&mut client, name, arguments);
        assert_eq!(
            embedded,
            [
                json!({"type": "resource", "resource": {
                    "uri": "test://example-resource",
                    "mimeType": "text/plain",
                    "text": "Embedded resource content for testing."}}),
                json!({"type": "text", "text": "Please process the embedded resource above."}),
            ]
        );

        let image = messages_of(&mut client, "test_prompt_with_image", json!({}));
        assert_eq!(image[0]["mimeType"], "image/png");
        assert_png(&image[0]["data"]);
        assert_eq!(image[1]["text"], "Please analyze the image above.");

        for (name, arguments) in [
            ("test_prompt_with_arguments", json!({"arg1": "hello"})),
            ("test_prompt_with_embedded_resource", json!({})),
        ] {
            let params = json!({"name": name, "arguments": arguments});
            let reply = client.request("prompts/get", params);
            assert_eq!(reply["error"]["code"], -32602, "{reply}");
        }
    }
}

#[test]
fn resources_are_read_as_text_bytes_and_from_a_template() {
    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        let text = read(&mut client, "test://static-text");
        assert_eq!(text["mimeType"], "text/plain");
        let expected = "This is the content of the static text resource.";
        assert_eq!(text["text"], expected);

        let binary = read(&mut client, "test://static-binary");
        assert_eq!(binary["mimeType"], "image/png");
        assert_png(&binary["blob"]);

        let filled = read(&mut client, "test://template/123/data");
        assert_eq!(filled["mimeType"], "application/json");
        let data: Value = serde_json::from_str(filled["text"].as_str().unwrap()).unwrap();
        let expected = json!({"id": "123", "templateTest": true, "data": "Data for ID: 123"});
        assert_eq!(data, expected);

        for uri in ["test://template//data", "test://template/1", "test://none"] {
            let reply = client.request("resources/read", json!({"uri": uri}));
            assert_eq!(reply["error"]["data"]["uri"], uri, "{reply}");
        }
    }
}

/// A call of the tool with progress.
fn call_with(client: &Client, id: u64, token: Option<Value>) -> Value {
    let mut params = json!({"name": "test_tool_with_progress"});
    if let Some(token) = token {
        params["_meta"]["progressToken"] = token;
    }
    client.message(id, "tools/call", params)
}

#[test]
fn progress_comes_before_the_answer_and_in_order() {
    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        for (id, token) in [(100, json!("progress-test-1")), (101, json!(7))] {
            let message = call_with(&client, id, Some(token.clone()));
            client.send(&message);
            for done in [0, 50, 100] {
                let notice = client.receive();
                let params = json!({"progressToken": token, "progress": done, "total": 100});
                assert_eq!(notice["method"], "notifications/progress", "{notice}");
                assert_eq!(notice["params"], params);
            }
            let reply = client.receive();
            assert_eq!(reply["id"], id, "{reply}");
            assert_eq!(reply["result"]["content"][0]["type"], "text", "{reply}");
        }
    }
}

#[test]
fn progress_is_told_only_to_who_asked_for_it() {
    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        let params = json!({"name": "test_tool_with_progress"});
        result(&mut client, "tools/call", params);
        let message = call_with(&client, 100, Some(json!(["no", "token"])));
        client.send(&message);
        assert_eq!(client.receive()["id"], 100);
    }
}

#[test]
fn requests_of_one_pipe_tell_their_progress_in_turn() {
    let home = Home::new();
    let mut client = connect(&home, NEWEST_LEGACY);
    let mut pipe = String::new();
    for id in 100..104 {
        let message = call_with(&client, id, Some(json!(id)));
        pipe.push_str(&format!("{message}\n"));
    }
    client.send_bytes(pipe.as_bytes());
    for id in 100..104 {
        for done in [0, 50, 100] {
            let params = client.receive()["params"].clone();
            assert_eq!(params["progressToken"], id, "{params}");
            assert_eq!(params["progress"], done, "{params}");
        }
        assert_eq!(client.receive()["id"], id);
    }
}

#[test]
fn the_items_of_a_batch_tell_their_progress_before_its_answer() {
    let home = Home::new();
    let mut client = connect(&home, Era::Legacy("2025-03-26"));
    let batch = [100, 101].map(|id| call_with(&client, id, Some(json!(id))));
    client.send(&json!(batch));
    for id in [100, 101] {
        for done in [0, 50, 100] {
            let params = client.receive()["params"].clone();
            assert_eq!(
                (&params["progressToken"], &params["progress"]),
                (&json!(id), &json!(done))
            );
        }
    }
    let answers = client.receive();
    assert_eq!(
        (&answers[0]["id"], &answers[1]["id"]),
        (&json!(100), &json!(101))
    );
}

/// Calls the tool, calls that off after the first notice, and waits until the server knows.
/// Returns whether it knew before the call was through.
fn is_called_off(client: &mut Client, id: u64) -> bool {
    let message = call_with(client, id, Some(json!(id)));
    client.send(&message);
    assert_eq!(client.receive()["params"]["progress"], 0);
    client.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": id}}),
    );
    // Answered at once, and after whatever was sent before it.
    let message = client.message(id + 1, "tools/list", json!({}));
    client.send(&message);
    let mut is_in_time = true;
    loop {
        match client.receive()["id"].as_u64() {
            Some(answered) if answered == id => is_in_time = false,
            Some(answered) => {
                assert_eq!(answered, id + 1);
                return is_in_time;
            }
            None => {}
        }
    }
}

#[test]
fn a_cancelled_request_tells_no_more() {
    /// A loaded machine can take longer than the tool.
    const TRIES: u64 = 50;

    for era in ERAS {
        let home = Home::new();
        let mut client = connect(&home, era);
        let in_time = (1..=TRIES).find(|n| is_called_off(&mut client, n * 100));
        assert!(in_time.is_some(), "never called off in time");
        // Calls are answered in their order: what the one before had to tell would come first.
        let message = call_with(&client, 99, None);
        client.send(&message);
        let reply = client.receive();
        assert_eq!(reply["id"], 99, "{reply}");
        assert_eq!(client.end().1, Vec::<String>::new());
    }
}
