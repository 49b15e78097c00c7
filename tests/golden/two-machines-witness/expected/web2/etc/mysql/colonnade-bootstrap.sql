-- Written by Colonnade: what a new data directory begins with; root logs in over the socket, without a password.
INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
ALTER USER 'root'@'localhost' IDENTIFIED WITH auth_socket;
