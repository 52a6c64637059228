-- A new turn of 60 words each time.
wrk.method = "POST"
wrk.path = "/mcp"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["MCP-Protocol-Version"] = "2026-07-28"
wrk.headers["Mcp-Method"] = "tools/call"
wrk.headers["Mcp-Name"] = "save_conversation"

local body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"save_conversation",'
    .. '"arguments":{"user_prompt":"%s","assistant_response":"%s"},'
    .. '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    .. '"io.modelcontextprotocol/clientCapabilities":{}}}}'

local function words(count)
    local list = {}
    for i = 1, count do list[i] = "w" .. math.floor(20000 * math.random() ^ 3) end
    return table.concat(list, " ")
end

function request()
    return wrk.format(nil, nil, nil, body:format(words(10), words(50)))
end
