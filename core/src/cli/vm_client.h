// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace pbotvm::cli {

/// The line for the host, with its end. Code that a line cannot hold (line ends, none at all, a brace in front that
/// would look like JSON) goes as {"code":"..."}; `verbatim` and a JSON object: it goes as it is, on one line.
std::string client_line(std::string_view text, bool verbatim);

/// All arguments joined with single spaces; no option is the client's own.
std::string client_line(const std::vector<std::string>& arguments);

/// Sends the line and copies the reply to `out` as it comes, until the host closes. Returns the exit status: 0 whatever
/// the job's was; else an errno value (111: connection refused), with PBot's line on `out`, where the bot reads it.
int send_line(const std::string& address, std::uint16_t port, const std::string& line, std::ostream& out);

}  // namespace pbotvm::cli
