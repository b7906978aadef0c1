# Makes a unit of the system's manager one of a user's (systemctl --user): the
# same but for who it runs as, where things are, and what only root's manager
# can do. Handlers confine themselves all the same.
/^\(User\|SocketUser\|SocketGroup\|CapabilityBoundingSet\|AmbientCapabilities\)=/d
/^\(Protect[A-Za-z]*\|Private[A-Za-z]*\|ReadWritePaths\|DevicePolicy\)=/d
/^\(IPAddressDeny\|RemoveIPC\|KeyringMode\)=/d
# Below the user's home: what programs take without it.
/^Environment=STATE_DIRECTORY=/d
s,@sysconfdir@,%E,
s/^WantedBy=multi-user.target/WantedBy=default.target/
