-- Five words of the vocabulary, in proportion to how common they are.
wrk.method = "POST"
wrk.path = "/mcp"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["MCP-Protocol-Version"] = "2026-07-28"
wrk.headers["Mcp-Method"] = "tools/call"
wrk.headers["Mcp-Name"] = "search_memory"

local body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_memory",'
    .. '"arguments":{"query":"%s"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    .. '"io.modelcontextprotocol/clientCapabilities":{}}}}'

function request()
    local words = {}
    for i = 1, 5 do words[i] = "w" .. math.floor(20000 * math.random() ^ 3) end
    return wrk.format(nil, nil, nil, body:format(table.concat(words, " ")))
end
