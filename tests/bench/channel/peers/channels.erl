% SPDX-License-Identifier: MIT
% Messages between Erlang processes: erl -noshell -s channels main -extra MILLISECONDS CPUS SCENARIO...
% Output as in harness.hpp. Mailboxes have no bound, and processes cannot be pinned.
-module(channels).
-export([main/0]).

main() ->
    [Milliseconds, Cpus | Scenarios] = init:get_plain_arguments(),
    Budget = list_to_integer(Milliseconds) * 1000000,
    case placement(string:split(Cpus, ",")) of
        split -> ok;
        Placement -> [report(Scenario, Placement, Budget) || Scenario <- Scenarios]
    end,
    halt(0).

placement(["any"]) -> unpinned;
placement([Cpu, Cpu]) -> same;
placement(_) -> split.

report("stream-1p1c-unbounded" = Name, Placement, Budget) -> print(Name, Placement, measure(fun stream/1, Budget));
report("roundtrip" = Name, Placement, Budget) -> print(Name, Placement, measure(fun round_trip/1, Budget));
report(_, _, _) -> ok.

print(Name, Placement, Ns) -> io:format("erlang ~s ~s ~.2f~n", [Name, Placement, Ns]).

% As measure() of harness.hpp.
measure(Once, Budget) -> measure(Once, Budget, 512, infinity, []).

measure(_, _, _, _, [_, _, _] = Long) -> lists:nth(2, lists:sort(Long));
measure(Once, Budget, Count, Best, Long) ->
    Ns = max(Once(Count), 1),
    Each = Ns / Count,
    NewBest = min(Best, Each),  % a number is less than an atom
    More = trunc(min(16.0 * Count, Budget / NewBest)) + 1,
    if
        Ns < Budget / 2 -> measure(Once, Budget, More, NewBest, Long);
        Each < 2 * NewBest -> Each;
        true -> measure(Once, Budget, More, NewBest, [Each | Long])
    end.

now_ns() -> erlang:monotonic_time(nanosecond).

% The receiver starts its clock before the sender sends, and stops it with the last message.
stream(Count) ->
    Self = self(),
    Receiver = spawn(fun() ->
        Begin = now_ns(),
        Self ! {ready, self()},
        receive_all(Count),
        Self ! {ns, now_ns() - Begin}
    end),
    receive {ready, Receiver} -> ok end,
    spawn(fun() -> send_all(Receiver, Count) end),
    receive {ns, Ns} -> Ns end.

send_all(_, 0) -> ok;
send_all(Receiver, Left) ->
    Receiver ! Left,
    send_all(Receiver, Left - 1).

receive_all(0) -> ok;
receive_all(Left) -> receive Number when is_integer(Number) -> receive_all(Left - 1) end.

round_trip(Count) ->
    Self = self(),
    Answerer = spawn(fun() -> answer() end),
    spawn(fun() ->
        Begin = now_ns(),
        ask(Answerer, Count),
        Answerer ! stop,
        Self ! {ns, now_ns() - Begin}
    end),
    receive {ns, Ns} -> Ns end.

ask(_, 0) -> ok;
ask(Answerer, Left) ->
    Answerer ! {self(), Left},
    receive Left -> ask(Answerer, Left - 1) end.

answer() ->
    receive
        {From, Number} ->
            From ! Number,
            answer();
        stop -> ok
    end.
