// SPDX-License-Identifier: MIT
#include "service/sayings.h"

#include <array>

namespace pbotvm::service {

namespace {

// Written for this project.
constexpr auto lines = std::to_array<std::string_view>({
    "A backup that nobody has restored is a rumour.",
    "A comment that explains what the next line does is a line that could say it itself.",
    "A cache is a promise to be wrong faster.",
    "A clock that is wrong in every machine is at least consistent.",
    "A debugger is a mirror for people who type.",
    "A good name saves a paragraph; a bad one costs a week.",
    "A loop that runs once is an opinion.",
    "A null pointer knows exactly where it leads.",
    "A program is finished when nobody dares to touch it any more.",
    "A race condition is two programs telling the truth at once.",
    "A regular expression is easy to write and hard to meet again.",
    "A shell script grows until somebody rewrites it in a language that grows faster.",
    "A snapshot remembers the weather, not the climate.",
    "A stack trace is a letter from your past self.",
    "A test that cannot fail is decoration.",
    "A time-out is patience with a number on it.",
    "A virtual machine is a room with a lock on the outside.",
    "After the third rename the function began to do what it said.",
    "All numbers are magic until somebody writes down why.",
    "An exit code of zero means only that nobody complained.",
    "An interface is a contract that one side has not read.",
    "Apples fall, bits flip, and both were somebody's responsibility.",
    "Arrays start where the argument ends.",
    "Ask the log first; it was there.",
    "Before you optimise it, find out whether it runs.",
    "Between the keyboard and the chair there is usually tea.",
    "Copy and paste is inheritance without the family.",
    "Every port is open to somebody who has not tried yet.",
    "Every queue is somebody's patience.",
    "Fear the code that works and has no tests.",
    "Flip a coin twice and you have a protocol.",
    "Good fences make good sandboxes.",
    "Half of the bug is in the code, the other half in the belief about the code.",
    "He who measures nothing is always fast.",
    "If it hurts, do it in a loop.",
    "If two threads agree, check the lock.",
    "In the beginning was the prompt, and it blinked.",
    "It compiled at the first attempt, so everybody was worried.",
    "It is not a leak if the process ends soon enough.",
    "Nobody reads the manual until the manual is the only thing that answers.",
    "Nothing is as permanent as a flag called temporary.",
    "Of all the errors the one with a line number is the kindest.",
    "One more layer, said the onion, and everyone wept.",
    "Read the first error; the others are only its friends.",
    "Recursion: see the line above this one, if there is one.",
    "Rivers find the sea, and garbage finds the collector.",
    "Security is what is left when you remove the exceptions.",
    "Sleep is a lock that everybody should take now and then.",
    "Small programs have small mornings.",
    "The bug was in the last place, because then the search ended.",
    "The cheapest line of code is the one that stayed an idea.",
    "The disk is full of things that somebody meant to delete.",
    "The fastest request is the one that nobody sent.",
    "The heap is where objects go to be forgotten.",
    "The kernel does not panic; it only stops pretending.",
    "The network was fine until two computers used it.",
    "The semicolon is small, and so is the thorn.",
    "There is always one more byte than the buffer.",
    "Two engineers, three diagrams, no arrows.",
    "Undefined behaviour keeps its promises to nobody.",
    "What the type checker forgives, the user finds.",
    "When in doubt, print it out.",
    "Whoever names the variable x will meet it again in winter.",
    "Write it for the reader who is tired; it will be you.",
});

}  // namespace

std::span<const std::string_view> sayings() {
  return lines;
}

}  // namespace pbotvm::service
