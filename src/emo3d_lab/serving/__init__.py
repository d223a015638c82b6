"""`emo3d serve`: faces for programs and agents, over HTTP, WebSocket and MCP, without a page."""
