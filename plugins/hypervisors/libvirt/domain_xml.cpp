// SPDX-License-Identifier: MIT
#include "domain_xml.h"

#include <Poco/AutoPtr.h>
#include <Poco/DOM/DOMParser.h>
#include <Poco/DOM/Document.h>
#include <Poco/DOM/Element.h>
#include <Poco/DOM/NodeList.h>
#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeFormatter.h>
#include <Poco/Exception.h>
#include <Poco/NumberParser.h>
#include <Poco/Timestamp.h>
#include <Poco/XML/XMLString.h>

#include <algorithm>
#include <filesystem>

namespace pbotvm::libvirt {
namespace {

using Poco::XML::Element;
using DocumentPtr = Poco::AutoPtr<Poco::XML::Document>;

constexpr const char* channel_name = "pbotvm.data";
constexpr const char* data_port = "2";   // ttyS2 in the guest
constexpr const char* heart_port = "3";  // ttyS3
constexpr std::uint32_t first_own_cid = 3;
constexpr std::size_t most_xml = 16 * 1024 * 1024;

DocumentPtr parse(const std::string& xml, const std::string& root) {
  try {
    if (xml.size() > most_xml) throw Poco::DataFormatException("it is too long");
    Poco::XML::DOMParser parser;
    DocumentPtr document = parser.parseString(xml);
    if (document->documentElement()->tagName() == root) return document;
    throw Poco::DataFormatException("it is a <" + document->documentElement()->tagName() + ">");
  } catch (const Poco::Exception& error) {
    throw Error(ErrorCode::protocol,
                "libvirt's description, which should be a <" + root + ">, cannot be read: " + error.displayText());
  }
}

/// The text of the child of that name, empty where there is none.
std::string child_text(const Element& parent, const std::string& name) {
  const Element* child = parent.getChildElement(name);
  return child == nullptr ? "" : child->innerText();
}

std::string child_attribute(const Element& parent, const std::string& child_name, const std::string& attribute) {
  const Element* child = parent.getChildElement(child_name);
  return child == nullptr ? "" : child->getAttribute(attribute);
}

bool serves(const Element& device, const Endpoint& endpoint) {
  const Element* source = device.getChildElement("source");
  if (source == nullptr || source->getAttribute("mode") != "bind") return false;
  if (endpoint.kind == Endpoint::Kind::unix_socket)
    return device.getAttribute("type") == "unix" &&
           source->getAttribute("path") == std::filesystem::absolute(endpoint.path).lexically_normal().string();
  const std::string host = source->getAttribute("host");
  const bool same_host = host == endpoint.address || host == "0.0.0.0" || host == "::" || host == "localhost";
  return device.getAttribute("type") == "tcp" && same_host &&
         source->getAttribute("service") == std::to_string(endpoint.port);
}

/// Whether some device `tag` of the document fits.
template <typename Fits>
bool any_device(const DocumentPtr& document, const std::string& tag, Fits fits) {
  const Poco::AutoPtr<Poco::XML::NodeList> devices = document->getElementsByTagName(tag);
  for (unsigned long i = 0; i < devices->length(); ++i)
    if (fits(*static_cast<const Element*>(devices->item(i)))) return true;
  return false;
}

std::string escape_xml(const std::string& text) {
  std::string made;
  for (const char byte : text) {
    if (byte == '&') {
      made += "&amp;";
    } else if (byte == '<') {
      made += "&lt;";
    } else {
      made += byte;
    }
  }
  return made;
}

struct Missing {
  std::vector<std::string> lines;
  std::vector<std::string> commands;

  void add(const std::string& line, const std::string& command) {
    lines.push_back(line);
    if (std::ranges::find(commands, command) == commands.end()) commands.push_back(command);
  }
};

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string made;
  for (const std::string& word : words) made += (made.empty() ? "" : between) + word;
  return made;
}

}  // namespace

SnapshotDescription parse_snapshot(const std::string& xml) {
  const DocumentPtr document = parse(xml, "domainsnapshot");
  const Element& root = *document->documentElement();
  SnapshotDescription made;
  made.name = child_text(root, "name");
  Poco::Int64 seconds = 0;
  if (Poco::NumberParser::tryParse64(child_text(root, "creationTime"), seconds))
    made.taken =
        Poco::DateTimeFormatter::format(Poco::Timestamp::fromEpochTime(seconds), Poco::DateTimeFormat::ISO8601_FORMAT);
  const std::string memory = child_attribute(root, "memory", "snapshot");
  const std::string state = child_text(root, "state");
  made.has_memory = (state == "running" || state == "paused") && memory != "no";
  return made;
}

std::string snapshot_request(const std::string& name) {
  return "<domainsnapshot><name>" + escape_xml(name) +
         "</name><description>taken by pbotvm-host</description></domainsnapshot>";
}

std::string missing_devices(const std::string& domain_xml, const MachineSettings& machine) {
  const DocumentPtr document = parse(domain_xml, "domain");
  Missing missing;
  const auto check_serial = [&](const Endpoint& endpoint, const char* port, const std::string& key) {
    if (endpoint.kind == Endpoint::Kind::none) return;
    const auto fits = [&](const Element& device) {
      return child_attribute(device, "target", "port") == port && serves(device, endpoint);
    };
    if (!any_device(document, "serial", fits))
      missing.add("serial port " + std::string(port) + " on " + endpoint.text() + " (" + key + ")", "add-serials");
  };
  check_serial(machine.serial, data_port, "serial");
  check_serial(machine.heart, heart_port, "heart");
  if (machine.virtio_serial.kind != Endpoint::Kind::none &&
      !any_device(document, "channel", [&](const Element& device) {
        return child_attribute(device, "target", "name") == channel_name && serves(device, machine.virtio_serial);
      }))
    missing.add("channel " + std::string(channel_name) + " on " + machine.virtio_serial.text() + " (virtio_serial)",
                "add-virtio-serial");
  if (machine.cid >= first_own_cid && !any_device(document, "vsock", [&](const Element& device) {
        return child_attribute(device, "cid", "address") == std::to_string(machine.cid);
      }))
    missing.add("vsock device with context id " + std::to_string(machine.cid) + " (cid)", "add-vsock");
  if (missing.lines.empty()) return {};
  return "domain '" + machine.domain + "' has no " + joined(missing.lines, ", no ") + "; add it with 'pbotvm devices " +
         joined(missing.commands, "' and 'pbotvm devices ") +
         "', start the domain anew and delete its snapshot, which brings the old devices back; what is not used can be "
         "set to 0";
}

}  // namespace pbotvm::libvirt
